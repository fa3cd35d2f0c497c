import Imaging

/// The 15 classes of iSAID and the background (Zamir et al., 2019).
///
/// The colours are those of the official files, which MMSegmentation 1.2.2 turns into values in
/// `tools/dataset_converters/isaid.py`.
public enum ISAID {
  /// The name and the colour of each value from 0 to 15, in order.
  public static let classes = [
    LabelMap.Class("background", Color(0, 0, 0)),
    LabelMap.Class("ship", Color(0, 0, 63)),
    LabelMap.Class("store tank", Color(0, 63, 63)),
    LabelMap.Class("baseball diamond", Color(0, 63, 0)),
    LabelMap.Class("tennis court", Color(0, 63, 127)),
    LabelMap.Class("basketball court", Color(0, 63, 191)),
    LabelMap.Class("ground track field", Color(0, 63, 255)),
    LabelMap.Class("bridge", Color(0, 127, 63)),
    LabelMap.Class("large vehicle", Color(0, 127, 127)),
    LabelMap.Class("small vehicle", Color(0, 0, 127)),
    LabelMap.Class("helicopter", Color(0, 0, 191)),
    LabelMap.Class("swimming pool", Color(0, 0, 255)),
    LabelMap.Class("roundabout", Color(0, 191, 127)),
    LabelMap.Class("soccer ball field", Color(0, 127, 191)),
    LabelMap.Class("plane", Color(0, 127, 255)),
    LabelMap.Class("harbor", Color(0, 100, 155)),
  ]

  /// The values 0 to 15; 255 is ignored.
  public static let classes16 = LabelMap(
    unchecked: "iSAID, 16 classes", classes: classes,
    rows: classes.enumerated().map { index, entry in
      LabelMap.Row(value: UInt16(index), index: index, label: entry.name)
    } + [LabelMap.Row(value: 255, index: nil, label: "ignored")])

  /// The value of each colour in label files that are RGB pictures.
  public static let colors = Dictionary(
    uniqueKeysWithValues: classes.enumerated().map { ($1.color, UInt16($0)) })
}
