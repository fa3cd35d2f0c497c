import Datasets
import Foundation
import Imaging

/// A folder that goes when the test is over.
package final class TemporaryFolder {
  package let path: String

  /// An empty folder of its own name.
  package init() throws {
    path = NSTemporaryDirectory() + "atrous-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Writes `count` pairs of bright shapes on dark ground and their labels (0, 1, and 255 at the rim)
/// below `images` and `labels`.
package func writePairs(
  _ folder: String, count: Int, width: Int = 48, height: Int = 40
) throws {
  for name in ["images", "labels"] {
    try FileManager.default.createDirectory(
      atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
  }
  for index in 0..<count {
    var random = SampleRandom(seed: 7, epoch: 0, index: index)
    let (x0, y0) = (random.integer(below: width / 2), random.integer(below: height / 2))
    var pixels: [UInt8] = []
    var values: [UInt16] = []
    for y in 0..<height {
      for x in 0..<width {
        let inside = x >= x0 && x < x0 + width / 2 && y >= y0 && y < y0 + height / 2
        for _ in 0..<3 { pixels.append(UInt8((inside ? 150 : 30) + random.integer(below: 80))) }
        values.append(x == 0 ? 255 : inside ? 1 : 0)
      }
    }
    try Image(width: width, height: height, pixels: pixels)
      .write(to: "\(folder)/images/\(index).png")
    try LabelImage(width: width, height: height, values: values)
      .writePNG(to: "\(folder)/labels/\(index).png")
  }
}

/// The section `data` of a configuration for the pairs in `folder`, which train and are scored.
package func pairsSection(_ folder: String) -> String {
  let pairs = "{images: \(folder)/images, labels: \(folder)/labels}"
  return "data: {layout: folders, train: \(pairs), val: \(pairs), classes: [ground, thing]}"
}

/// A configuration of a tiny network on the pairs in `folder`, with everything that is random.
package func tinyYAML(_ folder: String, iterations: Int = 7) -> String {
  """
  output: \(folder)/run
  \(pairsSection(folder))
  model:
    backbone:
      {name: densenet, blocks: [2, 2], growth: 8, stem: 16, outputStride: 8, dropRate: 0.1}
    head: {name: denseaspp, dilations: [1, 2], growth: 8, bottleneck: 16, dropout: 0.1}
    auxiliary: [{name: denseaspp, level: 0, dilations: [1], growth: 8, bottleneck: 8}]
  train:
    iterations: \(iterations)
    batchSize: 2
    optimizer: {name: adamW, learningRate: 0.01, weightDecay: 0.01}
    schedule: {name: poly, warmUp: 2}
    loss: {name: crossEntropyDice, classWeights: medianFrequency}
    clip: 5
    ema: 0.9
    seed: 3
    threads: 1
    workers: 1
    logEvery: 1
    evaluateEvery: 4
    checkpointEvery: 2
    augmentation:
      - randomResize: [0.7, 1.4]
      - randomCrop: 32x32
      - pad: 32x32
      - horizontalFlip: 0.5
      - photometricDistortion: true
  """
}
