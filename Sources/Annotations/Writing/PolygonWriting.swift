import Files
import Foundation
import Imaging

extension AnnotationWriter {
  /// labelme's JSON by each image, and `labels.txt`.
  mutating func writeLabelme() throws {
    let isFlat = set.parts.count < 2
    for index in set.images.indices {
      let (size, outlines) = try outlines(index)
      let place =
        isFlat ? "" : "\(set.images[index].part.isEmpty ? "default" : set.images[index].part)/"
      let file = file(index)
      try transfer(index, to: "\(place)\(file)")
      try write(labelmeText(outlines, file, size), to: "\(place)\(names[index]).json")
      progress(index)
    }
    try writeLabels()
  }

  /// The `labels.txt` that fixes the order of labelme's classes.
  func writeLabels() throws {
    try write(
      (["__ignore__", "_background_"] + set.classes.map(\.name)).joined(separator: "\n") + "\n",
      to: "labels.txt")
  }

  /// The JSON of an image: rings through the middles of pixels, which Pillow's outline belongs to.
  func labelmeText(_ outlines: [Outline], _ file: String, _ size: Size) throws -> String {
    var shapes: [String] = []
    for (number, outline) in outlines.enumerated() {
      let group = outline.regions.count > 1 ? "\(number + 1)" : "null"
      for region in outline.regions {
        let label = JSONText.quoted(set.classes[outline.label].name)
        let score =
          outline.score.map { JSONText.quoted("score \($0.rounded(digits: 4))") } ?? "\"\""
        let rest = "\"group_id\": \(group), \"description\": \(score), \"flags\": {}"
        let ring = ring(Rings.centers(region))
        if options.simplify == 0, try !isExact(ring, region, size) {
          let (mask, corners) = try labelmeMask(region)
          shapes.append(
            "{\"label\": \(label), \"points\": \(corners), \"shape_type\": \"mask\", \"mask\": \"\(mask)\", \(rest)}"
          )
        } else {
          shapes.append(
            "{\"label\": \(label), \"points\": \(JSONText.pairs(ring)), \"shape_type\": \"polygon\", \"mask\": null, \(rest)}"
          )
        }
      }
    }
    return
      "{\"version\": \"5.5.0\", \"flags\": {}, \"shapes\": [\n\(shapes.joined(separator: ",\n"))\n],\n\"imagePath\": \(JSONText.quoted(file)), \"imageData\": null, \"imageHeight\": \(size.height), \"imageWidth\": \(size.width)}\n"
  }

  /// Whether Pillow gives a region back from a ring.
  private func isExact(_ ring: [Point], _ region: Region, _ size: Size) throws -> Bool {
    // Around the region alone, as most are small.
    let (left, top, width, height) = Outline(label: 0, regions: [region]).box
    let shift = Point(Double(left), Double(top))
    var (drawn, wanted) = (
      PixelCanvas(width: width, height: height, filledWith: 0),
      PixelCanvas(width: width, height: height, filledWith: 0)
    )
    PillowRaster.polygon(ring.map { $0 - shift }, on: &drawn, 1)
    CenterRaster.fill(
      ([region.outline] + region.inner).map {
        $0.map { Point(Double($0.x), Double($0.y)) - shift }
      },
      on: &wanted, 1)
    return drawn.pixels == wanted.pixels
  }

  /// A region as a picture in base64, with the corners of its place.
  private func labelmeMask(_ region: Region) throws -> (String, String) {
    let (left, top, width, height) = Outline(label: 0, regions: [region]).box
    let shift = Point(Double(left), Double(top))
    var canvas = PixelCanvas(width: width, height: height, filledWith: 0)
    CenterRaster.fill(
      ([region.outline] + region.inner).map {
        $0.map { Point(Double($0.x), Double($0.y)) - shift }
      },
      on: &canvas, 1)
    let png = try LabelImage(width: width, height: height, values: canvas.pixels).png()
    return (
      Data(png).base64EncodedString(),
      "[[\(left), \(top)], [\(left + width - 1), \(top + height - 1)]]"
    )
  }

  /// Ultralytics' text files: `images/PART`, `labels/PART`, `data.yaml`.
  mutating func writeYOLO() throws {
    let parts = parts(unnamed: "train")
    for (part, images) in parts {
      for index in images {
        let (size, outlines) = try outlines(index)
        try transfer(index, to: "images/\(part)/\(file(index))")
        let lines = outlines.flatMap { outline in
          outline.regions.map { region -> String in
            // The middle of a pixel, so that single precision and what is cut off lead to the pixel.
            let corners = ring(Rings.centers(region), shift: 0.5).map { corner in
              "\(Self.share(corner.x, size.width)) \(Self.share(corner.y, size.height))"
            }
            return "\(outline.label) \(corners.joined(separator: " "))"
          }
        }
        let path = "labels/\(part)/\(names[index]).txt"
        if lines.isEmpty {
          try make("\(folder)/labels/\(part)")
          FileSystem.remove("\(folder)/\(path)")
        } else {
          try write(lines.joined(separator: "\n") + "\n", to: path)
        }
        progress(index)
      }
    }
    let names = set.classes.enumerated().map { "  \($0): \(Self.yaml($1.name))" }
    let paths = parts.map { "\($0.name): images/\($0.name)" }
    // Ultralytics wants a part to score.
    let more =
      parts.contains { $0.name == "val" } ? [] : ["val: images/\(parts.first?.name ?? "train")"]
    try write(
      (["path: ."] + paths + more + ["names:"] + names).joined(separator: "\n") + "\n",
      to: "data.yaml")
  }

  private static func share(_ value: Double, _ side: Int) -> String {
    String(format: "%.7g", value / Double(side))
  }

  /// A text in quotes, where YAML might take it for something else.
  static func yaml(_ text: String) -> String {
    let isPlain =
      text.allSatisfy { $0.isLetter || $0 == "_" || $0 == "-" || $0 == " " }
      && text.first?.isLetter == true && text.last != " "
      && !["true", "false", "yes", "no", "null", "on", "off", "y", "n", "ignored"].contains(
        text.lowercased())
    return isPlain ? text : JSONText.quoted(text)
  }

  /// CVAT's XML and `images/`.
  mutating func writeCVAT() throws {
    let colors = colors()
    func escaped(_ text: String) -> String {
      text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
        .replacing("\"", with: "&quot;")
    }
    let labels = zip(set.classes, colors).map { entry, color in
      "        <label><name>\(escaped(entry.name))</name><color>\(color.hexadecimal)</color><type>any</type><attributes></attributes></label>"
    }
    let list = ["      <labels>"] + labels + ["      </labels>"]
    var lines = [
      "<?xml version=\"1.0\" encoding=\"utf-8\"?>", "<annotations>", "  <version>1.1</version>",
      "  <meta>",
    ]
    let parts = set.parts.filter { !$0.isEmpty }
    if parts.isEmpty {
      lines += [
        "    <task>", "      <name>written by Atrous</name>",
        "      <size>\(set.images.count)</size>",
      ]
      lines += ["      <mode>annotation</mode>"] + list + ["    </task>"]
    } else {
      // Parts are tasks of a project, as CVAT exports them.
      lines += ["    <project>", "      <name>written by Atrous</name>", "      <tasks>"]
      for part in parts {
        lines.append(
          "        <task><name>\(escaped(part))</name><subset>\(escaped(part))</subset></task>")
      }
      lines += ["      </tasks>"] + list + ["    </project>"]
    }
    lines.append("  </meta>")
    for index in set.images.indices {
      let (size, outlines) = try outlines(index)
      let file = file(index)
      try transfer(index, to: "images/\(file)")
      let part = set.images[index].part
      let subset = part.isEmpty ? "" : " subset=\"\(escaped(part))\""
      lines.append(
        "  <image id=\"\(index)\" name=\"\(escaped(file))\"\(subset) width=\"\(size.width)\" height=\"\(size.height)\">"
      )
      for (number, outline) in outlines.enumerated() {
        let group = outline.regions.count > 1 ? " group_id=\"\(number + 1)\"" : ""
        for region in outline.regions {
          let points = slit(region).map { String(format: "%.2f,%.2f", $0.x, $0.y) }.joined(
            separator: ";")
          lines.append(
            "    <polygon label=\"\(escaped(set.classes[outline.label].name))\" source=\"file\" occluded=\"0\" points=\"\(points)\" z_order=\"0\"\(group)>"
          )
          lines.append("    </polygon>")
        }
      }
      lines.append("  </image>")
      progress(index)
    }
    try write((lines + ["</annotations>", ""]).joined(separator: "\n"), to: "annotations.xml")
  }

  /// VGG Image Annotator's JSON and the images.
  mutating func writeVIA() throws {
    var entries: [String] = []
    for index in set.images.indices {
      let (_, outlines) = try outlines(index)
      let file = file(index)
      try transfer(index, to: file)
      let bytes = FileSystem.status(set.images[index].path).map { Int($0.st_size) } ?? -1
      let regions = outlines.flatMap { outline in
        outline.regions.map { region -> String in
          let ring = slit(region)
          let xs = ring.map { JSONText.number($0.x) }.joined(separator: ", ")
          let ys = ring.map { JSONText.number($0.y) }.joined(separator: ", ")
          return
            "{\"shape_attributes\": {\"name\": \"polygon\", \"all_points_x\": [\(xs)], \"all_points_y\": [\(ys)]}, \"region_attributes\": {\"class\": \(JSONText.quoted(set.classes[outline.label].name))}}"
        }
      }
      entries.append(
        "\(JSONText.quoted("\(file)\(bytes)")): {\"filename\": \(JSONText.quoted(file)), \"size\": \(bytes), \"regions\": [\n\(regions.joined(separator: ",\n"))\n], \"file_attributes\": {}}"
      )
      progress(index)
    }
    let options = set.classes.map { "\(JSONText.quoted($0.name)): \"\"" }.joined(separator: ", ")
    try write(
      "{\"_via_settings\": {\"ui\": {}, \"core\": {}, \"project\": {\"name\": \"written by Atrous\"}},\n\"_via_img_metadata\": {\n\(entries.joined(separator: ",\n"))\n},\n\"_via_attributes\": {\"region\": {\"class\": {\"type\": \"dropdown\", \"description\": \"\", \"options\": {\(options)}, \"default_options\": {}}}, \"file\": {}}}\n",
      to: "via_project.json")
  }
}
