import Imaging

extension LabelMap {
  /// The values 0 to `count - 1` as classes 0 to `count - 1`, and 255 as ignored.
  ///
  /// - Parameters:
  ///   - count: The number of classes, 1 to 255.
  ///   - names: The names; without them, `class 0`, `class 1` and so on.
  ///   - colors: The colours; without them, those of a standard table.
  /// - Throws: `DatasetError.invalidLabelMap` if `count` is out of range, names repeat or their
  ///   number is not `count`.
  public static func identity(_ count: Int, names: [String]? = nil, colors: [Color]? = nil) throws
    -> LabelMap
  {
    let names = names ?? (0..<max(count, 0)).map { "class \($0)" }
    let colors = colors ?? usualColors(names)
    guard names.count == count, colors.count == count else {
      throw DatasetError.invalidLabelMap(
        name: "\(count) classes",
        reason: "has \(names.count) names and \(colors.count) colours; expected \(count) of each")
    }
    var rows = names.indices.map { Row(value: UInt16($0), index: $0, label: names[$0]) }
    if count < 256 { rows.append(Row(value: 255, index: nil, label: "ignored")) }
    return try LabelMap(
      name: "\(count) classes", classes: zip(names, colors).map { Class($0, $1) }, rows: rows)
  }

  /// Masks of 0 and 255 (or 0 and 1): background, and one thing to be found.
  ///
  /// Black-and-white masks come in both spellings, in a 1-bit PNG as 0 and 1; both mean the same
  /// here. An exported file has 0 and 255.
  public static func binary(_ foreground: String = "foreground") -> LabelMap {
    LabelMap(
      unchecked: "binary",
      classes: [Class("background", Color(0, 0, 0)), Class(foreground, Color(255, 255, 255))],
      rows: [
        Row(value: 0, index: 0, label: "background"),
        Row(value: 255, index: 1, label: foreground),
        Row(value: 1, index: 1, label: foreground),
      ])
  }

  /// CamVid in SegNet's 11 classes; 11, unlabelled, is ignored.
  ///
  /// Brostow et al., "Semantic object classes in video", 2009; the classes and colours are those of
  /// Badrinarayanan et al., "SegNet", 2015.
  public static let camVid = LabelMap(
    unchecked: "CamVid, 11 classes",
    classes: [
      Class("sky", Color(128, 128, 128)),
      Class("building", Color(128, 0, 0)),
      Class("pole", Color(192, 192, 128)),
      Class("road", Color(128, 64, 128)),
      Class("pavement", Color(60, 40, 222)),
      Class("tree", Color(128, 128, 0)),
      Class("sign", Color(192, 128, 128)),
      Class("fence", Color(64, 64, 128)),
      Class("car", Color(64, 0, 128)),
      Class("pedestrian", Color(64, 64, 0)),
      Class("bicyclist", Color(0, 128, 192)),
    ],
    rows: [
      Row(value: 0, index: 0, label: "sky"),
      Row(value: 1, index: 1, label: "building"),
      Row(value: 2, index: 2, label: "pole"),
      Row(value: 3, index: 3, label: "road"),
      Row(value: 4, index: 4, label: "pavement"),
      Row(value: 5, index: 5, label: "tree"),
      Row(value: 6, index: 6, label: "sign"),
      Row(value: 7, index: 7, label: "fence"),
      Row(value: 8, index: 8, label: "car"),
      Row(value: 9, index: 9, label: "pedestrian"),
      Row(value: 10, index: 10, label: "bicyclist"),
      Row(value: 11, index: nil, label: "unlabelled"),
    ])

  /// The colours of classes that have none of their own: those of ``palette(count:)``; of two classes black for
  /// the background and, for what is to be found, a cyan that few photographs have.
  static func usualColors(_ names: [String]) -> [Color] {
    guard names.count == 2 else { return palette(count: names.count) }
    let colors = [Color(0, 0, 0), Color(0, 229, 255)]
    return names[1].lowercased() == "background" ? colors.reversed() : colors
  }

  /// Colours that differ for every index below 256: the colour map of the PASCAL VOC development kit.
  ///
  /// Bit k of the index's three lowest bits goes to bit 7 of red, green and blue, the next three to
  /// bit 6, and so on; index 0 is black.
  public static func palette(count: Int) -> [Color] {
    (0..<max(count, 0)).map { index in
      var rest = index
      var red = 0
      var green = 0
      var blue = 0
      for bit in stride(from: 7, through: 0, by: -1) {
        red |= (rest & 1) << bit
        green |= (rest >> 1 & 1) << bit
        blue |= (rest >> 2 & 1) << bit
        rest >>= 3
      }
      return Color(UInt8(red), UInt8(green), UInt8(blue))
    }
  }
}
