import Foundation
import Imaging

@testable import Datasets

/// A folder that is there while `body` runs.
func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
    "atrous-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try body(folder.path)
}

/// A random image and a mask of blocks of classes, some ignored.
func picture(_ width: Int, _ height: Int, classes: Int = 5, seed: UInt64 = 1) -> (Image, ClassMask)
{
  var random = SampleRandom(seed: seed, epoch: 0, index: 0)
  let image = Image(
    width: width, height: height,
    pixels: (0..<width * height * 3).map { _ in UInt8(random.integer(below: 256)) })
  let block = max(width / 5, 1)
  let mask = ClassMask(
    width: width, height: height,
    classes: (0..<width * height).map { i in
      let value = ((i % width) / block + 2 * (i / width / block)) % (classes + 1)
      return value == classes ? LabelMap.ignored : UInt8(value)
    })
  return (image, mask)
}

/// A data set of random pictures in memory.
func scenery(count: Int, width: Int = 40, height: Int = 30) throws -> MemoryDataset {
  MemoryDataset(
    name: "scenery", labelMap: try .identity(5),
    samples: (0..<count).map { i in
      let (image, mask) = picture(width, height, seed: UInt64(i))
      return ("scene \(i)", image, mask)
    })
}
