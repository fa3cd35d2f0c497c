import Foundation
import Imaging
import TestSupport
import Testing

@testable import Datasets

@Suite("The task whose answer lies at a distance")
struct DistanceTaskTests {
  private let size = Size(width: 96, height: 64)

  /// How often the sign of the four points' grey at some distance tells the class.
  private func agreement(_ sample: DistanceTask.Sample, at distance: Int) -> Double {
    let (width, height) = (sample.image.width, sample.image.height)
    let gray = { (x: Int, y: Int) in Int(sample.image.pixels[(y * width + x) * 3]) - 128 }
    var (right, all) = (0, 0)
    for y in distance..<height - distance {
      for x in distance..<width - distance {
        let sum =
          gray(x - distance, y) + gray(x + distance, y) + gray(x, y - distance)
          + gray(x, y + distance)
        right += (sum > 0 ? 1 : 0) == sample.labels.values[y * width + x] ? 1 : 0
        all += 1
      }
    }
    return Double(right) / Double(all)
  }

  @Test("the four points at the distance tell the class, and those at another do not")
  func distances() throws {
    let task = try DistanceTask(seed: 1, size: size, distance: 20)
    let samples = (0..<8).map(task.sample)
    func mean(_ distance: Int) -> Double {
      samples.map { agreement($0, at: distance) }.reduce(0, +) / Double(samples.count)
    }
    #expect(mean(20) > 0.95)
    #expect(mean(19) > 0.9)
    for other in [4, 10, 30] { #expect(abs(mean(other) - 0.5) < 0.15, "\(other): \(mean(other))") }
    let light = samples.flatMap(\.labels.values).count { $0 == 1 }
    #expect(abs(Double(light) / Double(8 * 96 * 64) - 0.5) < 0.15)
  }

  @Test("seed, index and distance give the picture; files say what they follow from")
  func files() throws {
    let folder = try TemporaryFolder()
    let task = try DistanceTask(seed: 1, size: size, distance: 7)
    #expect(task.sample(2).image == task.sample(2).image)
    #expect(task.sample(2).image != task.sample(3).image)
    try task.write(to: folder.path, train: 2, val: 1)
    try task.write(to: folder.path, train: 2, val: 1, threads: 1)
    let image = try Image(contentsOf: "\(folder.path)/images/train/000001.png")
    #expect(image == task.sample(1).image)
    let labels = try LabelImage(contentsOf: "\(folder.path)/labels/val/000000.png")
    #expect(labels == task.sample(1_000_000).labels)
    #expect(throws: DatasetError.self) {
      try DistanceTask(seed: 1, size: size, distance: 8).write(to: folder.path, train: 1, val: 0)
    }
    #expect(throws: DatasetError.self) { try DistanceTask(seed: 1, size: size, distance: 0) }
    #expect(throws: DatasetError.self) {
      try DistanceTask(seed: 1, size: Size(width: 8, height: 64), distance: 3)
    }
  }
}
