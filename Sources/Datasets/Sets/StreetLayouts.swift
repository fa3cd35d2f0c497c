import Imaging

extension FileDataset {
  /// CamVid as SegNet's authors laid it out: `<split>/*.png` and `<split>annot/*.png`.
  ///
  /// Obtained from the SegNet tutorial; for research, CC BY-NC 4.0. The splits are `train` (367),
  /// `val` (101) and `test` (233), 480×360.
  ///
  /// - Throws: `DatasetError.missingFolder`, `.emptyFolder`, `.missingPartner`.
  public static func camVid(_ root: String, split: String) throws -> FileDataset {
    try pairs(
      name: "CamVid \(split)", images: FileSelection("\(root)/\(split)", extensions: ["png"]),
      labels: FileSelection("\(root)/\(split)annot", extensions: ["png"]), map: .camVid)
  }

  /// Cityscapes: `leftImg8bit/<split>/<city>/*_leftImg8bit.png` and
  /// `gtFine/<split>/<city>/*_gtFine_labelIds.png`, read directly.
  ///
  /// Obtained from cityscapes-dataset.com by registration; for non-commercial use. The splits are
  /// `train` (2975), `val` (500) and `test` (1525, whose labels are void).
  ///
  /// - Parameters:
  ///   - root: The folder that holds `leftImg8bit` and `gtFine`.
  ///   - split: The split's folder.
  ///   - map: The classes; see ``Cityscapes``.
  /// - Throws: `DatasetError.missingFolder`, `.emptyFolder`, `.missingPartner`.
  public static func cityscapes(
    _ root: String, split: String, map: LabelMap = Cityscapes.classes19
  ) throws -> FileDataset {
    try cityscapesListing(root, split: split, map: map).paired()
  }

  /// As ``cityscapes(_:split:map:)``, with files whose partner is missing in ``unpaired``.
  public static func cityscapesListing(
    _ root: String, split: String, map: LabelMap = Cityscapes.classes19
  ) throws -> FileDataset {
    let layout = "leftImg8bit/<split>/<city>/*_leftImg8bit.png"
    let images = "\(root)/leftImg8bit/\(split)"
    let cities = try fileNames(in: images, expected: "Cityscapes' layout, \(layout)")
      .filter { isFolder("\(images)/\($0)") }
    var items: [Item] = []
    var unpaired: [Unpaired] = []
    var notes: [String] = []
    for city in cities {
      let part = try listing(
        images: FileSelection("\(images)/\(city)", suffix: "_leftImg8bit", extensions: ["png"]),
        labels: FileSelection(
          "\(root)/gtFine/\(split)/\(city)", suffix: "_gtFine_labelIds", extensions: ["png"]),
        map: map)
      items += part.items
      unpaired += part.unpaired
      notes += part.notes
    }
    guard !(items.isEmpty && unpaired.isEmpty) else {
      throw DatasetError.emptyFolder(path: images, expected: "Cityscapes' layout, \(layout)")
    }
    return try FileDataset(
      name: "Cityscapes \(split)", labelMap: map, items: items, unpaired: unpaired,
      notes: notes)
  }
}
