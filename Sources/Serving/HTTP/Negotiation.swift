import NIOHTTP1

/// A form in which an answer can be given.
struct AnswerForm: Sendable, Equatable {
  /// The name that the parameter `format` has.
  let name: String
  /// The media type.
  let type: String
}

extension AnswerForm {
  /// The form that a request asks for: by the parameter `format`, else by the header `Accept`, else the first.
  ///
  /// - Throws: ``Problem`` with 400 for a format that there is not, 406 for types of which there is none.
  static func chosen(
    of forms: [AnswerForm], _ parameters: Parameters, _ headers: HTTPHeaders
  ) throws -> AnswerForm {
    if let name = parameters["format"] {
      if let form = forms.first(where: { $0.name == name }) { return form }
      throw Problem(
        .badRequest,
        "format is '\(name.brief)', expected one of \(forms.map(\.name).joined(separator: ", "))")
    }
    let accepted = headers[canonicalForm: "accept"]
    guard !accepted.isEmpty else { return forms[0] }
    var (best, quality) = (forms[0], 0.0)
    for form in forms {
      let own = Self.quality(of: form.type, accepted.map(String.init))
      if own > quality { (best, quality) = (form, own) }
    }
    guard quality > 0 else {
      throw Problem(
        .notAcceptable,
        "the header Accept has none of \(forms.map(\.type).joined(separator: ", "))")
    }
    return best
  }

  /// How much a media type is wanted, 0 to 1: what the most specific range that fits says (RFC 9110, 12.5.1).
  static func quality(of type: String, _ ranges: [String]) -> Double {
    let main = type.prefix { $0 != "/" }
    var (quality, rank) = (0.0, 0)
    for range in ranges {
      let parts = range.split(separator: ";").map { $0.trimmed.lowercased() }
      guard let name = parts.first else { continue }
      let own = name == type ? 3 : name == "\(main)/*" ? 2 : name == "*/*" ? 1 : 0
      guard own > rank else { continue }
      rank = own
      let weight = parts.dropFirst().first { $0.hasPrefix("q=") }
      quality = weight.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
    }
    return quality
  }
}

extension StringProtocol {
  /// The text without blanks at its ends.
  var trimmed: String {
    String(drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
  }
}
