import CDeflate
import Files
import Foundation
import Imaging

extension AnnotationWriter {
  /// The mask of an image, with the regions that are too small left out.
  func mask(_ index: Int) throws -> LabelImage {
    guard options.minimumArea > 0 else { return try set.mask(of: set.images[index]) }
    let (size, outlines) = try outlines(index)
    var canvas = PixelCanvas(
      width: size.width, height: size.height, filledWith: AnnotationSet.ignoredValue)
    for outline in outlines {
      for region in outline.regions {
        CenterRaster.fill(
          ([region.outline] + region.inner).map { $0.map { Point(Double($0.x), Double($0.y)) } },
          on: &canvas, UInt16(outline.label))
      }
    }
    return LabelImage(width: size.width, height: size.height, values: canvas.pixels)
  }

  /// `images/PART`, `labels/PART` of indexed PNG files, and the section `data` of a configuration.
  mutating func writeFolders() throws {
    let colors = colors()
    let isFlat = set.parts == [""]
    for index in set.images.indices {
      let part =
        isFlat ? "" : "/\(set.images[index].part.isEmpty ? "default" : set.images[index].part)"
      let mask = try mask(index)
      try transfer(index, to: "images\(part)/\(file(index))")
      try make("\(folder)/labels\(part)")
      var values = mask
      for i in values.values.indices where values.values[i] == AnnotationSet.ignoredValue {
        values.values[i] = 255
      }
      // 255 is no class; black there.
      let palette = colors + Array(repeating: Color(0, 0, 0), count: 256 - colors.count)
      try values.writePNG(to: "\(folder)/labels\(part)/\(names[index]).png", palette: palette)
      progress(index)
    }
    try write(set.classes.map(\.name).joined(separator: "\n") + "\n", to: "classes.txt")
    try write(foldersConfiguration(colors, isFlat), to: "data.yaml")
  }

  /// What a configuration says of the folders.
  private func foldersConfiguration(_ colors: [Color], _ isFlat: Bool) -> String {
    var lines = ["data:", "  layout: folders"]
    let root = folder
    for (part, _) in parts(unnamed: isFlat ? "train" : "default") {
      let place = isFlat ? "" : "/\(part)"
      lines.append(
        "  \(part): {images: \(Self.yaml("\(root)/images\(place)")), labels: \(Self.yaml("\(root)/labels\(place)"))}"
      )
    }
    lines.append("  classes: [\(set.classes.map { Self.yaml($0.name) }.joined(separator: ", "))]")
    lines.append("  colors:")
    for (entry, color) in zip(set.classes, colors) {
      lines.append("    \(Self.yaml(entry.name)): [\(color.red), \(color.green), \(color.blue)]")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// A coloured picture of a mask.
  private func picture(_ mask: LabelImage, _ colors: [Color], ignored: Color) -> Image {
    var pixels = [UInt8](repeating: 0, count: 3 * mask.values.count)
    for (i, value) in mask.values.enumerated() {
      let color = value == AnnotationSet.ignoredValue ? ignored : colors[Int(value)]
      (pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2]) = (color.red, color.green, color.blue)
    }
    return Image(width: mask.width, height: mask.height, pixels: pixels)
  }

  /// The colours of classes where black is `background`, or no class.
  private func colorsAroundBlack() -> (colors: [Color], background: Int?) {
    let background = set.classes.firstIndex { $0.name == "background" }
    var colors = colors(avoiding: [Color(0, 0, 0), Self.rim])
    if let background { colors[background] = Color(0, 0, 0) }
    return (colors, background)
  }

  /// The colour of what counts nowhere in Pascal VOC's files.
  private static let rim = Color(224, 224, 192)

  /// Pascal VOC's folders with a `labelmap.txt`.
  mutating func writeVOC() throws {
    let (colors, background) = colorsAroundBlack()
    var isUnlabelled = false
    for (part, images) in parts(unnamed: "default") {
      for index in images {
        let mask = try mask(index)
        isUnlabelled = isUnlabelled || mask.values.contains(AnnotationSet.ignoredValue)
        try transfer(index, to: "JPEGImages/\(file(index))")
        try make("\(folder)/SegmentationClass")
        try picture(mask, colors, ignored: Self.rim)
          .write(to: "\(folder)/SegmentationClass/\(names[index]).png")
        progress(index)
      }
      try write(
        images.map { names[$0] }.joined(separator: "\n") + "\n",
        to: "ImageSets/Segmentation/\(part).txt")
    }
    var lines = ["# label:color_rgb:parts:actions"]
    // The tools put it first, and count it where it is missing.
    if background == nil { lines.append("background:0,0,0::") }
    for (entry, color) in zip(set.classes, colors) {
      lines.append("\(entry.name):\(color.red),\(color.green),\(color.blue)::")
    }
    if isUnlabelled { lines.append("ignored:224,224,192::") }
    try write(lines.joined(separator: "\n") + "\n", to: "labelmap.txt")
  }

  /// Writes `label_colors.txt`, and the `dataset_meta.json` that datumaro prefers to it, as its reader of the
  /// former knows no names with spaces.
  private func writeTables(_ order: [Int], _ colors: [Color], ignoredLine: Bool) throws {
    var entries = order.map { (name: set.classes[$0].name, color: colors[$0]) }
    if ignoredLine { entries.append(("ignored", Self.rim)) }
    let lines = entries.map { "\($0.color.red) \($0.color.green) \($0.color.blue) \($0.name)" }
    try write(lines.joined(separator: "\n") + "\n", to: "label_colors.txt")
    let names = entries.enumerated().map { "\"\($0)\": \(JSONText.quoted($1.name))" }
    let levels = entries.map { "[\($0.color.red), \($0.color.green), \($0.color.blue)]" }
    try write(
      "{\"label_map\": {\(names.joined(separator: ", "))}, \"segmentation_colors\": [\(levels.joined(separator: ", "))]}\n",
      to: "dataset_meta.json")
  }

  /// datumaro's CamVid: `PART/`, `PARTannot/`, `PART.txt` and `label_colors.txt`.
  mutating func writeCamVid() throws {
    let (colors, background) = colorsAroundBlack()
    // Black is unlabelled, unless a class has it.
    let ignored = background == nil ? Color(0, 0, 0) : Self.rim
    var isUnlabelled = false
    for (part, images) in parts(unnamed: "default") {
      var lines: [String] = []
      for index in images {
        let mask = try mask(index)
        isUnlabelled = isUnlabelled || mask.values.contains(AnnotationSet.ignoredValue)
        let file = file(index)
        try transfer(index, to: "\(part)/\(file)")
        try make("\(folder)/\(part)annot")
        try picture(mask, colors, ignored: ignored).write(
          to: "\(folder)/\(part)annot/\(names[index]).png")
        lines.append("/\(part)/\(file) \(part)annot/\(names[index]).png")
        progress(index)
      }
      try write(lines.joined(separator: "\n") + "\n", to: "\(part).txt")
    }
    try writeTables(
      Array(set.classes.indices), colors, ignoredLine: isUnlabelled && background != nil)
  }

  /// datumaro's Cityscapes: ids are places in `label_colors.txt` from 1 on, 0 is unlabelled.
  mutating func writeCityscapes() throws {
    let (colors, background) = colorsAroundBlack()
    let ignored = background == nil ? Color(0, 0, 0) : Self.rim
    let first = background == nil ? 1 : 0
    var isUnlabelled = false
    // Where black is a class it is the first one: what stands before it moves behind.
    let order = (background.map { [$0] } ?? []) + set.classes.indices.filter { $0 != background }
    var ids = [UInt16](repeating: 0, count: set.classes.count)
    for (place, index) in order.enumerated() { ids[index] = UInt16(place + first) }
    for (part, images) in parts(unnamed: "default") {
      for index in images {
        let mask = try mask(index)
        isUnlabelled = isUnlabelled || mask.values.contains(AnnotationSet.ignoredValue)
        let suffix = set.images[index].path.fileSuffix
        try transfer(
          index,
          to: "leftImg8bit/\(part)/\(names[index])_leftImg8bit.\(suffix.isEmpty ? "png" : suffix)")
        try make("\(folder)/gtFine/\(part)")
        let stem = "\(folder)/gtFine/\(part)/\(names[index])_gtFine"
        try picture(mask, colors, ignored: ignored).write(to: "\(stem)_color.png")
        var values = mask
        for i in values.values.indices {
          let value = values.values[i]
          values.values[i] =
            value == AnnotationSet.ignoredValue ? (first == 1 ? 0 : 255) : ids[Int(value)]
        }
        try values.writePNG(to: "\(stem)_labelIds.png")
        try values.writePNG(to: "\(stem)_instanceIds.png")
        progress(index)
      }
    }
    try writeTables(order, colors, ignoredLine: isUnlabelled && background != nil)
  }

  /// A project of Supervisely, each object a bitmap.
  mutating func writeSupervisely() throws {
    let colors = colors()
    for (part, images) in parts(unnamed: "ds0") {
      for index in images {
        let (size, outlines) = try outlines(index)
        let file = file(index)
        try transfer(index, to: "\(part)/img/\(file)")
        let objects = try outlines.enumerated().map { number, outline in
          let box = outline.box
          let title = JSONText.quoted(set.classes[outline.label].name)
          return
            "{\"id\": \(number + 1), \"classTitle\": \(title), \"description\": \"\", \"geometryType\": \"bitmap\", \"tags\": [], \"bitmap\": {\"origin\": [\(box.x), \(box.y)], \"data\": \"\(try bitmap(outline))\"}}"
        }
        try write(
          "{\"description\": \"\", \"tags\": [], \"size\": {\"height\": \(size.height), \"width\": \(size.width)}, \"objects\": [\n\(objects.joined(separator: ",\n"))\n]}\n",
          to: "\(part)/ann/\(file).json")
        progress(index)
      }
    }
    let classes = zip(set.classes, colors).map {
      "{\"title\": \(JSONText.quoted($0.name)), \"shape\": \"bitmap\", \"color\": \"\($1.hexadecimal.uppercased())\"}"
    }
    try write(
      "{\"classes\": [\n\(classes.joined(separator: ",\n"))\n], \"tags\": [], \"projectType\": \"images\"}\n",
      to: "meta.json")
  }

  /// A PNG of an object's box, white where it is and transparent elsewhere, packed by zlib in base64.
  private func bitmap(_ outline: Outline) throws -> String {
    let box = outline.box
    var canvas = PixelCanvas(width: box.width, height: box.height, filledWith: 0)
    for region in outline.regions {
      CenterRaster.fill(
        ([region.outline] + region.inner).map {
          $0.map { Point(Double($0.x - box.x), Double($0.y - box.y)) }
        }, on: &canvas, 1)
    }
    let png = try LabelImage(width: box.width, height: box.height, values: canvas.pixels)
      .png(palette: [Color(0, 0, 0), Color(255, 255, 255)])
    return Data(Zlib.packed(Self.withTransparentFirst(png))).base64EncodedString()
  }

  /// An indexed PNG whose first colour is made transparent by a chunk behind its palette.
  static func withTransparentFirst(_ png: [UInt8]) -> [UInt8] {
    var at = 8
    while at + 12 <= png.count {
      let length = png[at..<at + 4].reduce(0) { $0 << 8 | Int($1) }
      guard length <= png.count - at - 12 else { return png }
      if png[at + 4..<at + 8].elementsEqual("PLTE".utf8) {
        let body = Array("tRNS".utf8) + [0]
        let sum = body.withUnsafeBytes { libdeflate_crc32(0, $0.baseAddress, $0.count) }
        let chunk =
          [0, 0, 0, 1] + body
          + (0..<4).map { UInt8(truncatingIfNeeded: sum >> UInt32(24 - 8 * $0)) }
        return Array(png[..<(at + 12 + length)]) + chunk + Array(png[(at + 12 + length)...])
      }
      at += 12 + length
    }
    return png
  }
}
