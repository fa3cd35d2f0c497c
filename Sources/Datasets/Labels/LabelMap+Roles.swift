import Imaging

extension LabelMap {
  /// The map in which the class of this name stands for nothing to be found.
  ///
  /// - Throws: `DatasetError.invalidLabelMap` for a name that no class has.
  public func withBackground(_ name: String) throws -> LabelMap {
    guard let index = classes.firstIndex(where: { $0.name == name }) else {
      throw DatasetError.invalidLabelMap(
        name: self.name,
        reason: "has no class \"\(name)\" to be the background; expected one of "
          + classes.map(\.name).joined(separator: ", "))
    }
    return LabelMap(unchecked: self.name, classes: classes, rows: rows, background: index)
  }

  /// Of two classes the one that is to be found; nil for another number of classes.
  ///
  /// The other is ``background``, or class 0 where there is none.
  public var foreground: Int? { count == 2 ? 1 - (background ?? 0) : nil }

  /// Which of two classes is the background and why, for protocols.
  package var roles: String? {
    guard let foreground else { return nil }
    let other = classes[1 - foreground].name
    let reason =
      switch background {
      case nil: "class 0, as none is called background"
      case _? where other.lowercased() == "background": "the class of that name"
      default: "\(other), as data.background says"
      }
    return "foreground \(classes[foreground].name), background \(reason)"
  }

  /// The colour of ignored pixels in pictures: black unless a class looks like it.
  public var ignoredColor: Color {
    func distance(_ a: Color, _ b: Color) -> Int {
      func square(_ a: UInt8, _ b: UInt8) -> Int { (Int(a) - Int(b)) * (Int(a) - Int(b)) }
      return square(a.red, b.red) + square(a.green, b.green) + square(a.blue, b.blue)
    }
    func gap(_ color: Color) -> Int { colors.map { distance($0, color) }.min() ?? .max }
    let near = 64 * 64
    if let clear = Self.ignoredColors.first(where: { gap($0) >= near }) { return clear }
    // Maps of very many classes: whatever is farthest from all of them.
    let levels = stride(from: 0, through: 255, by: 51).map { UInt8($0) }
    let all = levels.flatMap { red in
      levels.flatMap { green in levels.map { Color(red, green, $0) } }
    }
    return all.max { gap($0) < gap($1) } ?? Color(0, 0, 0)
  }

  /// Black, a muted violet, the border of PASCAL VOC, magenta.
  private static let ignoredColors = [
    Color(0, 0, 0), Color(120, 94, 170), Color(224, 224, 192), Color(255, 0, 255),
  ]

  /// A colour for each of the 256 values of a mask: the classes', and that of ignored pixels.
  public var palette: [Color] {
    colors + [Color](repeating: ignoredColor, count: 256 - count)
  }

  /// The classes of a legend with their colours, and ignored pixels where the map has such.
  public var legend: [LegendEntry] {
    classes.map { LegendEntry($0.name, $0.color) }
      + (ignoredValue == nil ? [] : [LegendEntry("ignored", ignoredColor)])
  }
}
