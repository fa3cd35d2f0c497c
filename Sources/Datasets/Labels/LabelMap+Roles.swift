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

  /// A legend of all classes with their colours, and of ignored pixels if there are any.
  package func legend(hasIgnored: Bool) -> [LegendEntry] {
    classes.map { LegendEntry($0.name, $0.color) }
      + (hasIgnored ? [LegendEntry("ignored", ignoredColor)] : [])
  }

  /// A legend of what occurs: the classes and, last, ignored pixels.
  package func legend(of shown: ShownClasses) -> [LegendEntry] {
    classes.enumerated().filter { shown.contains(UInt8($0.offset)) }
      .map { LegendEntry($0.element.name, $0.element.color) }
      + (shown.contains(Self.ignored) ? [LegendEntry("ignored", ignoredColor)] : [])
  }
}

/// The classes, and whether ignored pixels, that occur in masks.
package struct ShownClasses {
  private var seen = [Bool](repeating: false, count: 256)

  /// What occurs in some masks.
  package init(_ masks: [ClassMask] = []) {
    for mask in masks { add(mask) }
  }

  /// Takes in what occurs in a mask.
  package mutating func add(_ mask: ClassMask) {
    for index in mask.classes { seen[Int(index)] = true }
  }

  /// Whether a class occurs.
  func contains(_ index: UInt8) -> Bool { seen[Int(index)] }
}
