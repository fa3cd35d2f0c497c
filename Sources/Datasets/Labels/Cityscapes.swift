import Imaging

/// Cityscapes' labels and the class sets made of them.
///
/// Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding", CVPR 2016. Files
/// named `…_gtFine_labelIds.png` hold the `id` of these rows and are read as they are; files named
/// `…_labelTrainIds.png` hold the `trainId` and are a conversion that is not needed here.
public enum Cityscapes {
  /// One of the official label rows.
  public struct Label: Sendable, Hashable {
    /// The label's name.
    public let name: String
    /// The value in `labelIds` files; −1 for the licence plate, which an 8-bit file holds as 255.
    public let id: Int
    /// The class in training and evaluation, 0 to 18; 255 or −1 where it takes no part.
    public let trainId: Int
    /// The group the label belongs to.
    public let category: String
    /// Whether single instances are told apart.
    public let hasInstances: Bool
    /// Whether the official evaluation leaves the label out.
    public let ignoredInEvaluation: Bool
    /// The label's colour.
    public let color: Color

    /// The value that an 8-bit file holds: the id, and 255 for −1.
    public var fileValue: UInt16 { id < 0 ? 255 : UInt16(id) }

    init(
      _ name: String, _ id: Int, _ trainId: Int, _ category: String, _ hasInstances: Bool,
      _ ignoredInEvaluation: Bool, _ color: Color
    ) {
      self.name = name
      self.id = id
      self.trainId = trainId
      self.category = category
      self.hasInstances = hasInstances
      self.ignoredInEvaluation = ignoredInEvaluation
      self.color = color
    }
  }

  /// The 35 official rows, ids 0 to 33 and −1.
  public static let labels: [Label] = [
    Label("unlabeled", 0, 255, "void", false, true, Color(0, 0, 0)),
    Label("ego vehicle", 1, 255, "void", false, true, Color(0, 0, 0)),
    Label("rectification border", 2, 255, "void", false, true, Color(0, 0, 0)),
    Label("out of roi", 3, 255, "void", false, true, Color(0, 0, 0)),
    Label("static", 4, 255, "void", false, true, Color(0, 0, 0)),
    Label("dynamic", 5, 255, "void", false, true, Color(111, 74, 0)),
    Label("ground", 6, 255, "void", false, true, Color(81, 0, 81)),
    Label("road", 7, 0, "flat", false, false, Color(128, 64, 128)),
    Label("sidewalk", 8, 1, "flat", false, false, Color(244, 35, 232)),
    Label("parking", 9, 255, "flat", false, true, Color(250, 170, 160)),
    Label("rail track", 10, 255, "flat", false, true, Color(230, 150, 140)),
    Label("building", 11, 2, "construction", false, false, Color(70, 70, 70)),
    Label("wall", 12, 3, "construction", false, false, Color(102, 102, 156)),
    Label("fence", 13, 4, "construction", false, false, Color(190, 153, 153)),
    Label("guard rail", 14, 255, "construction", false, true, Color(180, 165, 180)),
    Label("bridge", 15, 255, "construction", false, true, Color(150, 100, 100)),
    Label("tunnel", 16, 255, "construction", false, true, Color(150, 120, 90)),
    Label("pole", 17, 5, "object", false, false, Color(153, 153, 153)),
    Label("polegroup", 18, 255, "object", false, true, Color(153, 153, 153)),
    Label("traffic light", 19, 6, "object", false, false, Color(250, 170, 30)),
    Label("traffic sign", 20, 7, "object", false, false, Color(220, 220, 0)),
    Label("vegetation", 21, 8, "nature", false, false, Color(107, 142, 35)),
    Label("terrain", 22, 9, "nature", false, false, Color(152, 251, 152)),
    Label("sky", 23, 10, "sky", false, false, Color(70, 130, 180)),
    Label("person", 24, 11, "human", true, false, Color(220, 20, 60)),
    Label("rider", 25, 12, "human", true, false, Color(255, 0, 0)),
    Label("car", 26, 13, "vehicle", true, false, Color(0, 0, 142)),
    Label("truck", 27, 14, "vehicle", true, false, Color(0, 0, 70)),
    Label("bus", 28, 15, "vehicle", true, false, Color(0, 60, 100)),
    Label("caravan", 29, 255, "vehicle", true, true, Color(0, 0, 90)),
    Label("trailer", 30, 255, "vehicle", true, true, Color(0, 0, 110)),
    Label("train", 31, 16, "vehicle", true, false, Color(0, 80, 100)),
    Label("motorcycle", 32, 17, "vehicle", true, false, Color(0, 0, 230)),
    Label("bicycle", 33, 18, "vehicle", true, false, Color(119, 11, 32)),
    Label("license plate", -1, -1, "vehicle", false, true, Color(0, 0, 142)),
  ]

  /// The 19 rows that the official evaluation counts, in the order of their `trainId`.
  public static let evaluated: [Label] =
    labels
    .filter { !$0.ignoredInEvaluation }
    .sorted { $0.trainId < $1.trainId }

  /// The official 19 classes; the other 16 rows are ignored.
  ///
  /// An ignored pixel is exported as 0.
  public static let classes19 = LabelMap(
    unchecked: "Cityscapes, 19 classes",
    classes: evaluated.map { LabelMap.Class($0.name, $0.color) },
    rows: labels.map { label in
      LabelMap.Row(
        value: label.fileValue, index: label.ignoredInEvaluation ? nil : label.trainId,
        label: label.name)
    })

  /// The official 19 classes and a twentieth, `background`, which is everything else.
  ///
  /// Paper 000 trains 20 classes and does not say what the twentieth holds. Here all 16 rows that
  /// the official evaluation leaves out (void, parking, rail track, guard rail, bridge, tunnel,
  /// polegroup, caravan, trailer, licence plate) are class 19, so that classes 0 to 18 keep their
  /// official index and no pixel is ignored. It is exported as 0, unlabeled.
  public static let classes20 = LabelMap(
    unchecked: "Cityscapes, 20 classes",
    classes: evaluated.map { LabelMap.Class($0.name, $0.color) }
      + [LabelMap.Class("background", Color(0, 0, 0))],
    rows: labels.map { label in
      LabelMap.Row(
        value: label.fileValue, index: label.ignoredInEvaluation ? 19 : label.trainId,
        label: label.name)
    })

  /// All 35 rows as classes of their own, in the order of ``labels``: nothing is lost or ignored.
  public static let allRows = LabelMap(
    unchecked: "Cityscapes, 35 rows", classes: labels.map { LabelMap.Class($0.name, $0.color) },
    rows: labels.enumerated().map { index, label in
      LabelMap.Row(value: label.fileValue, index: index, label: label.name)
    })

  /// Classes that merge labels, such as the ten of Sanguin et al.; labels not listed are ignored.
  ///
  /// A class takes the colour of its first label, and is exported as that label's id.
  ///
  /// - Parameters:
  ///   - name: The map's name.
  ///   - groups: Each class's name and the names of the labels it takes in, in the classes' order.
  /// - Throws: `DatasetError.invalidLabelMap` for an unknown label, one listed twice, or a class
  ///   without labels.
  public static func merged(
    name: String, groups: [(name: String, labels: [String])]
  ) throws -> LabelMap {
    func fail(_ reason: String) -> DatasetError { .invalidLabelMap(name: name, reason: reason) }
    var classes: [LabelMap.Class] = []
    var rows: [LabelMap.Row] = []
    var taken: [String: String] = [:]
    for (index, group) in groups.enumerated() {
      for member in group.labels {
        guard let label = labels.first(where: { $0.name == member }) else {
          let known = labels.map(\.name).joined(separator: ", ")
          throw fail("class \"\(group.name)\" takes \"\(member)\"; expected one of \(known)")
        }
        if let other = taken.updateValue(group.name, forKey: member) {
          throw fail(
            "\"\(member)\" is in \"\(other)\" and in \"\(group.name)\"; expected one class")
        }
        if classes.count == index { classes.append(LabelMap.Class(group.name, label.color)) }
        rows.append(LabelMap.Row(value: label.fileValue, index: index, label: member))
      }
      guard classes.count == index + 1 else {
        throw fail("class \"\(group.name)\" takes no labels; expected at least one")
      }
    }
    let rest = labels.filter { taken[$0.name] == nil }
    rows += rest.map { LabelMap.Row(value: $0.fileValue, index: nil, label: $0.name) }
    return try LabelMap(name: name, classes: classes, rows: rows)
  }

  /// Classes that merge labels, from a dictionary as a configuration holds it.
  ///
  /// A dictionary has no order, so classes are ordered by the smallest id among their labels.
  ///
  /// - Throws: `DatasetError.invalidLabelMap`, as the form with ordered groups does.
  public static func merged(name: String, _ groups: [String: [String]]) throws -> LabelMap {
    func smallest(_ members: [String]) -> Int {
      labels.filter { members.contains($0.name) }.map { Int($0.fileValue) }.min() ?? .max
    }
    let ordered = groups.map { (name: $0.key, labels: $0.value, first: smallest($0.value)) }
      .sorted { ($0.first, $0.name) < ($1.first, $1.name) }
    return try merged(name: name, groups: ordered.map { ($0.name, $0.labels) })
  }
}
