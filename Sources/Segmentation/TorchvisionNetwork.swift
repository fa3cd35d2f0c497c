import Torch

/// One of torchvision's segmentation networks, as a configuration describes it.
///
/// `Configurations/networks` has each as `torchvision-NAME.yaml`.
public struct TorchvisionNetwork: Sendable, Equatable {
  /// torchvision's name for it.
  public let name: String
  private let backbone: String, head: String
  /// Whether its published files have an auxiliary classifier.
  let hasAuxiliary: Bool

  /// The six that torchvision has.
  public static let all: [TorchvisionNetwork] =
    ["fcn_resnet50", "fcn_resnet101", "deeplabv3_resnet50", "deeplabv3_resnet101"].map { name in
      let (head, backbone) = parts(name)
      return .init(
        name: name, backbone: "{name: \(backbone), outputStride: 8}",
        head: head == "fcn" ? "{name: fcn}" : pyramid, hasAuxiliary: true)
    }
    + ["deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"].map { name in
      .init(
        name: name, backbone: "{name: mobilenet_v3_large, outputStride: 16}",
        head: name.hasPrefix("lraspp") ? "{name: lraspp}" : pyramid,
        hasAuxiliary: !name.hasPrefix("lraspp"))
    }

  // The rates are the same at output strides of 8 and 16.
  private static let pyramid = "{name: deeplabv3, rates: [1, 12, 24, 36]}"

  private static func parts(_ name: String) -> (head: String, backbone: String) {
    let parts = name.split(separator: "_", maxSplits: 1).map(String.init)
    return (parts.first ?? "", parts.last ?? "")
  }

  /// The section `model` that describes it.
  ///
  /// - Parameters:
  ///   - classes: The number of classes.
  ///   - auxiliary: Whether it has an auxiliary classifier; nil for what published files have.
  public func configuration(classes: Int = 21, auxiliary: Bool? = nil) -> String {
    let auxiliary =
      hasAuxiliary && auxiliary ?? true ? "\n  auxiliary: [{name: fcn, level: 2, weight: 0.5}]" : ""
    return "model:\n  backbone: \(backbone)\n  head: \(head)\(auxiliary)\n  classes: \(classes)"
  }

  /// What it computes beyond its weights.
  public var geometry: NetworkGeometry? {
    shapesOnly { model(classes: 21).map { NetworkGeometry($0) } }
  }

  private func model(classes: Int) -> SegmentationModel? {
    Initialization.skipped { .torchvision(name, classes: classes) }
  }

  /// The network whose names and shapes a file has, whatever stands before them, with the number of
  /// classes; nil if none.
  ///
  /// Networks of other strides and rates have the same.
  public static func matching(
    _ shapes: [String: [Int]]
  ) -> (network: TorchvisionNetwork, classes: Int)? {
    for first in ["backbone.conv1.weight", "backbone.0.0.weight"] {
      guard
        let prefix = shapes.keys.filter({ $0 == first || $0.hasSuffix("." + first) })
          .map({ $0.dropLast(first.count) }).min(by: { $0.count < $1.count })
      else { continue }
      let scores = ["classifier.4.weight", "classifier.low_classifier.weight"]
      guard let classes = scores.lazy.compactMap({ shapes[prefix + $0]?.first }).first else {
        continue
      }
      // All of ResNet-50 is in ResNet-101, too: the largest network that is there whole is the one.
      let found = all.compactMap { network -> (network: TorchvisionNetwork, tensors: Int)? in
        let state = shapesOnly { network.model(classes: classes)?.state ?? [] }
        let isThere = state.allSatisfy { name, tensor in
          // Old files have no counters of batches.
          name.hasSuffix("num_batches_tracked") || shapes[prefix + name] == tensor.shape
        }
        return isThere && !state.isEmpty ? (network, state.count) : nil
      }
      if let largest = found.max(by: { $0.tensors < $1.tensors }) {
        return (largest.network, classes)
      }
    }
    return nil
  }
}
