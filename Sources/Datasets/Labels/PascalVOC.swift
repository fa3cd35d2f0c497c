import Imaging

/// The 20 classes of PASCAL VOC 2012 and the background (Everingham et al., 2010).
public enum PascalVOC {
  /// The name of each value from 0 to 20, in order.
  public static let names = [
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
  ]

  /// The values 0 to 20; 255, the border between objects, is ignored.
  public static let classes21: LabelMap = {
    let colors = LabelMap.palette(count: names.count)
    return LabelMap(
      unchecked: "PASCAL VOC, 21 classes",
      classes: zip(names, colors).map { LabelMap.Class($0, $1) },
      rows: names.enumerated().map { index, name in
        LabelMap.Row(value: UInt16(index), index: index, label: name)
      } + [LabelMap.Row(value: 255, index: nil, label: "border")])
  }()
}
