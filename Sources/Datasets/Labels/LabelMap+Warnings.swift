extension LabelMap {
  /// What looks wrong when label files with these values are read with this map, in sentences, each with
  /// the share of the values and what a person can write to mend it.
  ///
  /// Values that are not listed would be refused when met. Values that are all listed may still be of
  /// another convention: Cityscapes' `trainId`s read as label ids are void and road where there
  /// should be streets, and masks of 0 and 255 read as classes are background and ignored.
  public func warnings(for histogram: ValueHistogram) -> [String] {
    let found = histogram.values
    let listed = Set(values)
    var warnings: [String] = []
    let unlisted = found.filter { !listed.contains($0) }
    if !unlisted.isEmpty {
      warnings.append(
        "the files hold values that \"\(name)\" does not list: \(ranges(of: unlisted));"
          + " it lists \(ranges(of: values))" + sentence(mend(for: found)))
    }
    let isCityscapes = Set(Cityscapes.labels.map { Int($0.fileValue) }) == listed
    if isCityscapes, !found.isEmpty, found.allSatisfy({ $0 <= 18 || $0 == 255 }) {
      warnings.append(
        "the files hold only \(ranges(of: found)): these look like Cityscapes' trainIds, but"
          + " \"\(name)\" reads label ids 0–33; expected the _labelIds files")
    }
    let isBlackAndWhite = found == [0, 255] && index(of: 255) == Self.ignored
    if isBlackAndWhite {
      warnings.append(
        "the files hold only 0 and 255, \(histogram.sharesText()): these look like black-and-white"
          + " masks, but \"\(name)\" ignores 255" + sentence(mendOrExample(for: found)))
    }
    if !found.isEmpty, labelled(in: histogram).isEmpty {
      warnings.append(
        "\"\(name)\" ignores every pixel of the files, which hold \(histogram.sharesText())"
          + sentence(mendOrExample(for: found)))
    }
    return warnings
  }

  /// What also keeps a network from learning where files with these values train it: classes that never
  /// occur, and one class with everything else ignored.
  ///
  /// - Parameters:
  ///   - histogram: How often each value occurs in the files.
  ///   - looked: How messages call the files.
  public func trainingWarnings(for histogram: ValueHistogram, of looked: String) -> [String] {
    var warnings = warnings(for: histogram)
    let labelled = labelled(in: histogram)
    let absent = classes.indices.filter { labelled[$0] == nil }
    let found = histogram.values
    if let only = labelled.keys.first, labelled.count == 1 {
      let ignored = histogram.total - labelled[only, default: 0]
      let rest = ignored > 0 ? ", and everything else is ignored" : ", and there is nothing else"
      // Masks of 0 and 255 have their sentence already.
      let advice = warnings.isEmpty ? mendOrExample(for: found).map { ". \($0)" } : nil
      warnings.append(
        "\(classes[only].name) is the only class in \(looked)\(rest), so that a network has nothing to"
          + " tell it from: they hold \(histogram.sharesText())" + (advice ?? ""))
    } else if !absent.isEmpty, !labelled.isEmpty {
      let names = absent.prefix(8).map { index in
        let values = rows.filter { $0.index == index }.map { "\($0.value)" }
        let stands = values.isEmpty ? "no value" : "value \(values.joined(separator: " or "))"
        return "\(classes[index].name) (\(stands))"
      }
      let more = absent.count > 8 ? " and \(absent.count - 8) more" : ""
      warnings.append(
        "never in \(looked): \(names.joined(separator: ", "))\(more); they hold"
          + " \(histogram.sharesText())" + sentence(mend(without: Set(absent))))
    }
    return warnings
  }

  /// The pixels of each class that occurs.
  private func labelled(in histogram: ValueHistogram) -> [Int: Int64] {
    histogram.counts.reduce(into: [:]) { sums, entry in
      guard let index = index(of: UInt16(entry.value)), index != Self.ignored else { return }
      sums[Int(index), default: 0] += entry.count
    }
  }

  private func sentence(_ text: String?) -> String { text.map { ". \($0)" } ?? "" }
}
