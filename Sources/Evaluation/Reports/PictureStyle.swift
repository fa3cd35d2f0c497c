import Datasets
import Imaging

/// The colours of a report's pictures and what they mean.
struct PictureStyle {
  /// A colour for each value of a mask.
  let palette: [Color]
  /// That of pixels whose truth is ignored.
  let ignored: Color
  /// The class to be found, where there are two.
  let foreground: UInt8?
  /// What the colours of masks and of errors mean.
  let legend, errorLegend: [LegendEntry]

  /// The colours of mistakes, and those of two classes: people who see colours differently can tell them
  /// apart (Okabe and Ito, 2008).
  static let wrong = Color(225, 40, 40)
  static let missed = Color(0, 114, 178), claimed = Color(213, 94, 0)
  /// Foreground that was found.
  static let hit = Color(252, 252, 252)

  init(_ map: LabelMap, hasIgnored: Bool) {
    palette = map.palette
    ignored = map.ignoredColor
    foreground = map.foreground.map { UInt8($0) }
    legend = map.legend(hasIgnored: hasIgnored)
    errorLegend =
      map.foreground.map { map.classes[$0].name }.map {
        [
          // A class may be white, too.
          LegendEntry("errors: \($0) found", Self.hit),
          LegendEntry("errors: \($0) missed (false negative)", Self.missed),
          LegendEntry("errors: claimed as \($0) (false positive)", Self.claimed),
        ]
      } ?? [
        LegendEntry("errors: wrong", Self.wrong),
        LegendEntry("errors: right", Color(150, 150, 150)),
      ]
  }
}
