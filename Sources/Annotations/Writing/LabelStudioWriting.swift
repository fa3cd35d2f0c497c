import Imaging

extension AnnotationWriter {
  /// Label Studio's JSON of polygons, its labelling configuration and `images/`.
  mutating func writeLabelStudio() throws {
    var tasks: [String] = []
    for index in set.images.indices {
      let (size, outlines) = try outlines(index)
      let file = file(index)
      try transfer(index, to: "images/\(file)")
      tasks.append(labelStudioTask(outlines, file, size, id: index + 1, isPrediction: false))
      progress(index)
    }
    try write("[\n\(tasks.joined(separator: ",\n"))\n]\n", to: "result.json")
    try write(labelStudioConfiguration(), to: "label_config.xml")
  }

  /// A task with what was drawn on its image, or what a network proposes.
  func labelStudioTask(
    _ outlines: [Outline], _ file: String, _ size: Size, id: Int, isPrediction: Bool
  ) -> String {
    var results: [String] = []
    for outline in outlines {
      for region in outline.regions {
        let points = slit(region).map { corner in
          "[\(JSONText.number(corner.x * 100 / Double(size.width))), \(JSONText.number(corner.y * 100 / Double(size.height)))]"
        }
        let score = outline.score.map { ", \"score\": \($0.rounded(digits: 4))" } ?? ""
        results.append(
          "{\"id\": \"\(id)-\(results.count + 1)\", \"type\": \"polygonlabels\", \"from_name\": \"outline\", \"to_name\": \"image\","
            + " \"original_width\": \(size.width), \"original_height\": \(size.height), \"image_rotation\": 0,"
            + " \"value\": {\"closed\": true, \"points\": [\(points.joined(separator: ", "))], \"polygonlabels\": [\(JSONText.quoted(set.classes[outline.label].name))]}\(score)}"
        )
      }
    }
    let list = "\"result\": [\n\(results.joined(separator: ",\n"))\n]"
    let kind =
      isPrediction
      ? "\"predictions\": [{\"model_version\": \"atrous\", \(list)}]"
      : "\"annotations\": [{\"id\": \(id), \"completed_by\": 1, \"was_cancelled\": false, \(list)}], \"predictions\": []"
    return
      "{\"id\": \(id), \"data\": {\"image\": \(JSONText.quoted("images/\(file)"))}, \(kind)}"
  }

  /// The classes as Label Studio's interface shows them.
  func labelStudioConfiguration() -> String {
    let colors = colors()
    func escaped(_ text: String) -> String {
      text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(
        "\"", with: "&quot;")
    }
    let labels = zip(set.classes, colors).map {
      "    <Label value=\"\(escaped($0.name))\" background=\"\($1.hexadecimal)\"/>"
    }.joined(separator: "\n")
    return """
      <View>
        <Image name="image" value="$image"/>
        <PolygonLabels name="outline" toName="image">
      \(labels)
        </PolygonLabels>
        <BrushLabels name="brush" toName="image">
      \(labels)
        </BrushLabels>
      </View>

      """
  }
}
