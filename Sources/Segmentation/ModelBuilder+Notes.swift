import Configuration

extension ModelBuilder {
  /// What the keys of `model` mean.
  package static let notes = KeyNotes([
    "classes": .init(
      "The number of classes; that of the data, which any other number contradicts.", "19"),
    "backbone": .init(
      "The network that makes maps of an image.", "{name: mobilenet_v2, outputStride: 16}"),
    "neck": .init(
      "What makes other maps of the backbone's; none unless it is given.", "{name: multilevel}",
      with: ["backbone={name: vit_t_16}"]),
    "head": .init("What makes scores of the maps.", "{name: denseaspp}"),
    "auxiliary": .init(
      "Further heads on earlier maps, for training only; without the key there are none.",
      "[{name: fcn, weight: 0.4}]"),
    "alignCorners": .init(
      """
      Whether maps and scores are resized so that the corners' centres stay, as older networks \
      do.
      """,
      "true"),
  ])

  /// What the keys of an entry of `auxiliary` mean.
  static let auxiliaryNotes = KeyNotes([
    "name": .init("The head.", "fcn"),
    "level": .init("The map that it sees, counted from 0 at the finest.", "2"),
    "weight": .init("What its loss is multiplied by before it is added.", "0.4"),
    "dropout": .init("As in the head of that name, like all its other keys.", "0.1"),
    "momentum": .init("As in the head of that name.", "0.01"),
  ])

  /// What the keys of `neck` mean.
  static let neckNotes = KeyNotes([
    "name": .init("The neck.", "multilevel"),
    "channels": .init("The channels of each map that it gives.", "256"),
    "scales": .init("What each map's size is multiplied by, one number a map.", "[4, 2, 1, 0.5]"),
  ])

  /// What each neck is.
  static let neckSentences = [
    "mla":
      """
    Maps of one size, each the sum of itself and all deeper ones (SETR's multi-level \
    aggregation).
    """,
    "multilevel":
      """
    A pyramid of maps of one size, each resized by its own scale (for UPerNet on a vision \
    transformer).
    """,
  ]
}
