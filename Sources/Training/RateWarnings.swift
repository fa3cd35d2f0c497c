import Datasets
import Imaging
import Segmentation

extension TrainingConfiguration {
  /// The size of the images that training shows the network; nil where they keep their own.
  public var cropSize: Size? {
    var size: Size?
    for transform in train.augmentation.transforms {
      switch transform {
      case .randomCrop(let crop, _), .centerCrop(let crop): size = crop
      case .resize(let whole, _): size = whole
      default: break
      }
    }
    return size
  }

  /// What of the network's atrous rates does not fit the crops, a line each.
  public func rateWarnings(for model: SegmentationModel) -> [String] {
    cropSize.map { RateCheck.warnings(model, width: $0.width, height: $0.height) } ?? []
  }
}
