import Configuration
import Torch

/// The head of FastFCN (Wu et al., 2019): joint pyramid upsampling of the last three maps in the
/// place of dilation, then any head on the joint map.
///
/// Names are those of MMSegmentation, where the upsampling is the network's neck.
public final class FastFCN: Layer, SegmentationHead {
  let jpu: JointPyramid
  let head: any SegmentationHead

  /// The upsampling before `head`, which sees the maps with the joint one in the place of the last.
  init(_ jpu: JointPyramid, _ head: any SegmentationHead) { (self.jpu, self.head) = (jpu, head) }

  public override var children: [(name: String, module: Module)] { [("jpu", jpu), ("head", head)] }

  /// The scores (N, classes, H, W) at the size of the finest of the joined maps.
  public func scores(_ maps: [Tensor], image: Tensor) -> Tensor {
    head.scores(joined(maps), image: image)
  }

  /// The scores, and what else the head's loss sees.
  public func trainingScores(_ maps: [Tensor], image: Tensor) -> TrainingScores {
    head.trainingScores(joined(maps), image: image)
  }

  private func joined(_ maps: [Tensor]) -> [Tensor] {
    maps.dropLast() + [jpu(maps.suffix(jpu.convLayers.count))]
  }

  /// `fastfcn`, with the head `head`: DeepLabV3's if none is given.
  static let entries = [
    "fastfcn": HeadEntry(
      needs: "three last maps of growing output stride",
      of: { input in
        let strides = input.strides.suffix(3)
        return strides.count == 3 && zip(strides, strides.dropFirst()).allSatisfy(<)
      }
    ) { input, section in
      let jpu = JointPyramid(
        input.channels.suffix(3), channels: try section.int("channels", default: 512, in: 1...8192),
        dilations: try section.ints("dilations", default: [1, 2, 4, 8], in: 1...512),
        alignCorners: input.alignCorners)
      if jpu.outputs == 0 {
        throw section.invalid("dilations", "[]", expected: "at least one dilation")
      }
      var inner = input
      inner.channels[inner.channels.count - 1] = jpu.outputs
      inner.strides[inner.strides.count - 1] = input.strides.suffix(3).first ?? 8
      return FastFCN(
        jpu, try ModelBuilder.head(section.section("head", isNamed: true), inner, or: "deeplabv3"))
    }
  ]
}

extension FastFCN: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String { child == "jpu" ? "/neck" : "" }
}

/// Joint pyramid upsampling: maps of all sizes brought to one width and the finest one's size, then
/// seen at several rates (§3.3).
final class JointPyramid: Layer {
  let convLayers: [ConvNorm]
  let dilationLayers: [SeparableConvNorm]
  private let alignCorners: Bool
  /// The channels of the result.
  let outputs: Int

  init(_ input: [Int], channels: Int, dilations: [Int], alignCorners: Bool) {
    convLayers = input.map { ConvNorm($0, channels) }
    dilationLayers = dilations.map { rate in
      SeparableConvNorm(input.count * channels, channels, dilation: rate, between: .none)
    }
    outputs = dilations.count * channels
    self.alignCorners = alignCorners
  }

  /// The joint map (N, outputs, H, W) of maps, finest first.
  func callAsFunction(_ maps: [Tensor]) -> Tensor {
    let narrowed = zip(convLayers, maps).map { $0($1) }
    let joined = concatenate(
      narrowed.map { $0.resized(like: narrowed[0], alignCorners: alignCorners) })
    return concatenate(dilationLayers.map { $0(joined) })
  }
}

extension JointPyramid: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String { "\(child).0" }
}
