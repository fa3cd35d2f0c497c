import Torch

extension SegmentationModel {
  /// The segmentation network that torchvision calls `name`, such as `deeplabv3_resnet50`; nil for
  /// other names.
  ///
  /// - Parameters:
  ///   - name: Torchvision's name of the network.
  ///   - classes: The number of classes.
  ///   - auxiliary: Whether it has torchvision's auxiliary classifier; LR-ASPP never has.
  public static func torchvision(
    _ name: String, classes: Int = 21, auxiliary: Bool = false
  ) -> SegmentationModel? {
    let parts = name.split(separator: "_", maxSplits: 1).map(String.init)
    guard parts.count == 2, let backbone = dilated(parts[1]) else { return nil }
    let head: any SegmentationHead
    switch parts[0] {
    case "deeplabv3": head = DeepLabV3(backbone.width, classes: classes)
    case "fcn": head = FCN(backbone.width, classes: classes)
    case "lraspp":
      guard let level = backbone.strides.firstIndex(of: 8), backbone is MobileNetV3 else {
        return nil
      }
      head = LRASPP(
        low: backbone.channels[level], level: level, high: backbone.width, classes: classes)
    default: return nil
    }
    // The third stage of a residual network, the map of output stride 8 of a MobileNet.
    let level = 2
    let helper = FCN(backbone.channels[level], classes: classes)
    return SegmentationModel(
      backbone, head, classes: classes,
      auxiliary: auxiliary && parts[0] != "lraspp"
        ? [AuxiliaryHead(helper, level: level, weight: 0.5)] : [])
  }

  /// Backbones with the strides that torchvision replaces by dilation: two in residual networks, one
  /// in MobileNets.
  private static func dilated(_ name: String) -> (any Backbone)? {
    if let configuration = ResNet.Configuration.named[name], configuration.isBottleneck {
      return ResNet(configuration, outputStride: 8)
    }
    return MobileNetV3.Variant(rawValue: name).map { MobileNetV3($0, outputStride: 16) }
  }
}
