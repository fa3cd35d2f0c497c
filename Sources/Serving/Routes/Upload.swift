import Evaluation
import Imaging
import Inference
import NIOHTTP1

/// The image of a request, still encoded, with all parameters.
struct Upload: Sendable {
  /// The field of a form that holds the image.
  static let field = "image"
  /// The media types that a body may have, beside `image/*`.
  static let types = ["multipart/form-data", "application/octet-stream", NumPyArray.type]

  let image: [UInt8]
  let parameters: Parameters

  /// Reads a request's body.
  ///
  /// - Throws: ``Problem`` for a body without an image.
  init(_ request: Request) throws {
    var parameters = request.parameters
    let type = request.headers.first(name: "content-type") ?? ""
    if Self.mediaType(type) == "multipart/form-data" {
      let form = try MultipartForm(request.body, type: type)
      guard
        let file = form.parts.first(where: { $0.name == Self.field })
          ?? form.parts.first(where: \.isFile)
      else {
        throw Problem(.badRequest, "the form has no field '\(Self.field)' with an image")
      }
      for part in form.parts where part.name != file.name {
        guard !part.isFile, let text = String(validating: part.content, as: UTF8.self) else {
          throw Problem(
            .badRequest, "the form's field '\(part.name.brief)' is no text, expected one image")
        }
        try parameters.add(part.name, text)
      }
      image = Array(file.content)
    } else {
      image = request.body
    }
    self.parameters = parameters
    guard !image.isEmpty else {
      throw Problem(.badRequest, "there is no image, expected its bytes as the body or in a form")
    }
  }

  /// The type of a header `Content-Type`, without its parameters.
  static func mediaType(_ header: String) -> String {
    header.prefix { $0 != ";" }.trimmed.lowercased()
  }

  /// Refuses bodies of other types, by their header.
  ///
  /// - Throws: ``Problem`` with 415.
  static func check(_ headers: HTTPHeaders) throws {
    guard let header = headers.first(name: "content-type") else { return }
    let type = mediaType(header)
    guard type.hasPrefix("image/") || types.contains(type) else {
      throw Problem(
        .unsupportedMediaType,
        "Content-Type is '\(type.brief)', expected image/jpeg or another image, or a form with a field"
          + " image, as curl -F image=@photo.jpg sends")
    }
    if headers.contains(name: "content-encoding") {
      throw Problem(.unsupportedMediaType, "the body has a Content-Encoding, expected it as it is")
    }
  }

  /// The image, refused by its header if it has too many pixels or needs too much memory.
  ///
  /// - Throws: ``Problem``, `ImageError`, `PredictionError`.
  func decoded(for network: ServedNetwork, _ limits: ServiceLimits) throws -> Image {
    let session = network.session
    func admit(_ size: Size) throws {
      let pixels = size.width.multipliedReportingOverflow(by: size.height)
      guard !pixels.overflow, pixels.partialValue <= limits.pixels else {
        throw Problem(
          .payloadTooLarge,
          "the image has \(size.width)×\(size.height) pixels, expected at most \(limits.pixels)")
      }
      try session.admit(size, file: Self.field)
    }
    if let plan = session.bandPlan {
      return try Image(
        decoding: image, named: Self.field, plan: plan, budget: session.memoryBudget,
        orientation: session.orientation, admit: admit)
    }
    return try Image(
      decoding: image, named: Self.field, budget: session.memoryBudget,
      orientation: session.orientation, admit: admit)
  }
}
