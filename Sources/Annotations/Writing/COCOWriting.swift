import Imaging

extension AnnotationWriter {
  /// COCO's JSON, one for each part: `annotations/instances_PART.json` and `images/PART/`.
  mutating func writeCOCO() throws {
    for (part, images) in parts(unnamed: "default") {
      var (entries, annotations): ([String], [String]) = ([], [])
      for (place, index) in images.enumerated() {
        let (size, outlines) = try outlines(index)
        let file = file(index)
        try transfer(index, to: "images/\(part)/\(file)")
        entries.append(Self.cocoImage(place + 1, file, size))
        for outline in outlines {
          annotations.append(
            cocoAnnotation(outline, id: annotations.count + 1, image: place + 1))
        }
        progress(index)
      }
      try write(cocoText(entries, annotations), to: "annotations/instances_\(part).json")
    }
  }

  static func cocoImage(_ id: Int, _ file: String, _ size: Size) -> String {
    "{\"id\": \(id), \"file_name\": \(JSONText.quoted(file)), \"width\": \(size.width), \"height\": \(size.height)}"
  }

  func cocoAnnotation(_ outline: Outline, id: Int, image: Int) -> String {
    let box = outline.box
    let rings = outline.regions.map { JSONText.flat(slit($0)) }.joined(separator: ", ")
    let score = outline.score.map { ", \"score\": \($0.rounded(digits: 4))" } ?? ""
    return
      "{\"id\": \(id), \"image_id\": \(image), \"category_id\": \(outline.label + 1), \"segmentation\": [\(rings)],"
      + " \"area\": \(outline.area), \"bbox\": [\(box.x), \(box.y), \(box.width), \(box.height)],"
      + " \"iscrowd\": 0\(score)}"
  }

  func cocoText(_ images: [String], _ annotations: [String]) -> String {
    let categories = set.classes.enumerated().map { index, entry in
      "{\"id\": \(index + 1), \"name\": \(JSONText.quoted(entry.name)), \"supercategory\": \"\"}"
    }
    func list(_ entries: [String]) -> String { "[\n" + entries.joined(separator: ",\n") + "\n]" }
    return
      "{\"info\": {\"description\": \"written by Atrous\"}, \"licenses\": [],\n\"images\": \(list(images)),\n\"categories\": \(list(categories)),\n\"annotations\": \(list(annotations))}\n"
  }

  /// COCO's panoptic form: `annotations/panoptic_PART.json`, and PNG files of ids beside it.
  mutating func writePanoptic() throws {
    for (part, images) in parts(unnamed: "default") {
      var (entries, annotations): ([String], [String]) = ([], [])
      for (place, index) in images.enumerated() {
        let (size, outlines) = try outlines(index)
        let file = file(index)
        try transfer(index, to: "images/\(part)/\(file)")
        entries.append(Self.cocoImage(place + 1, file, size))
        var canvas = PixelCanvas(width: size.width, height: size.height, filledWith: 0)
        var segments: [String] = []
        for (number, outline) in outlines.enumerated() {
          let (id, box) = (number + 1, outline.box)
          for region in outline.regions {
            CenterRaster.fill(
              ([region.outline] + region.inner).map {
                $0.map { Point(Double($0.x), Double($0.y)) }
              },
              on: &canvas, UInt16(id))
          }
          segments.append(
            "{\"id\": \(id), \"category_id\": \(outline.label + 1), \"area\": \(outline.area),"
              + " \"bbox\": [\(box.x), \(box.y), \(box.width), \(box.height)], \"iscrowd\": 0}")
        }
        let picture = Image(
          width: size.width, height: size.height,
          pixels: canvas.pixels.flatMap { [UInt8($0 & 255), UInt8($0 >> 8), 0] })
        let png = "\(names[index]).png"
        try make("\(folder)/annotations/panoptic_\(part)")
        try picture.write(to: "\(folder)/annotations/panoptic_\(part)/\(png)")
        annotations.append(
          "{\"image_id\": \(place + 1), \"file_name\": \(JSONText.quoted(png)), \"segments_info\": [\(segments.joined(separator: ", "))]}"
        )
        progress(index)
      }
      let categories = cocoText(entries, annotations)
        .replacing("\"supercategory\": \"\"}", with: "\"supercategory\": \"\", \"isthing\": 1}")
      try write(categories, to: "annotations/panoptic_\(part).json")
    }
  }
}
