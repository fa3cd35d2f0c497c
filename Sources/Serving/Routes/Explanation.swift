import Analysis
import Datasets
import Evaluation
import Foundation
import Imaging
import Inference
import NIOHTTP1

/// `POST /v1/explain`: what part of an image a pixel's scores depend on.
enum ExplanationRoute {
  static let forms = [
    AnswerForm(name: "json", type: "application/json"),
    AnswerForm(name: "picture", type: "image/png"),
    AnswerForm(name: "field", type: NumPyArray.type),
  ]
  static let parameters = ["model", "format", "x", "y", "class"]

  /// Images of at most this many pixels a side are looked at as a whole.
  private static let mostSide = 1024
  /// The side of the part that is looked at of larger ones: that of the figures of Kim and others, 2023.
  private static let partSide = 769

  /// The steps of a request.
  static func steps(_ request: Request, _ service: Service) -> Conveyor.Decoding {
    {
      let upload = try Upload(request)
      let parameters = upload.parameters
      try parameters.check(known: Self.parameters)
      let form = try AnswerForm.chosen(of: forms, parameters, request.headers)
      let network = try service.network(parameters)
      let label = try network.label(parameters)
      let image = try upload.decoded(for: network, service.limits).rgb
      let pixel = try network.pixel(parameters, image.size)
      guard let pixel else {
        throw Problem(.badRequest, "x and y are missing, expected a pixel of the image")
      }
      try checkMemory(inputSize(network.seen.size(of: image.size)), network)
      return {
        nonisolated(unsafe) let field = try network.analyzing {
          try Field($0, image, pixel, label)
        }
        return {
          switch form.name {
          case "picture": return Answer(try field.report.picture.png(), type: form.type)
          case "field":
            return Answer(
              NumPyArray.bytes(
                field.report.values, kind: "<f4", shape: [field.report.height, field.report.width]),
              type: form.type)
          default:
            return try Answer(json: Explanation(field, network.name, pixel, image.size))
          }
        }
      }
    }
  }

  /// The size of what is looked at of an image, as the network sees it.
  private static func inputSize(_ size: Size) -> Size {
    max(size.width, size.height) <= mostSide
      ? size : Size(width: min(partSide, size.width), height: min(partSide, size.height))
  }

  /// Refuses what would need too much memory: gradients keep all maps of a network but those inside of layers that run
  /// again, which takes at most about sixteen times the memory of a prediction.
  private static func checkMemory(_ size: Size, _ network: ServedNetwork) throws {
    do {
      try network.session.admitInput(
        Size(width: 4 * size.width, height: 4 * size.height), file: Upload.field)
    } catch is PredictionError {
      throw Problem(
        .payloadTooLarge,
        "the gradients of \(size.width)×\(size.height) pixels may need more memory than there is,"
          + " expected a smaller image")
    }
  }

  /// The field of a pixel, and the part of the image that it lies in.
  private struct Field {
    let report: FieldReport
    /// The part's first column and row.
    let x: Int, y: Int
    /// The size at which the network sees the part.
    let seen: Size

    init(
      _ network: TrainedNetwork, _ image: Image, _ pixel: (x: Int, y: Int), _ label: Int?
    ) throws {
      let whole = network.seen.size(of: image.size)
      let size = try network.model.fixedSize(nil) ?? inputSize(whole)
      guard size.width <= whole.width, size.height <= whole.height else {
        throw Problem(
          .unprocessableEntity,
          "the network takes \(size.width)×\(size.height) pixels only, expected an image that is no"
            + " smaller")
      }
      let cut = SeenCut(image.size, network.seen, to: size, around: pixel)
      (x, y) = (cut.part.x, cut.part.y)
      seen = size
      report = try FieldReport(
        network.model,
        ImageSource(
          image, named: Upload.field, around: pixel, seen: network.seen,
          encoding: network.encoding, device: network.device),
        size: size, target: .position(row: cut.target.y, column: cut.target.x), pixel: pixel,
        label: label, names: network.classNames, fits: false)
    }
  }

  /// The answer in JSON.
  private struct Explanation: Encodable {
    /// A part of the image.
    struct Part: Encodable { let x: Int, y: Int, width: Int, height: Int }
    /// The size at which the network sees the part.
    struct Seen: Encodable { let width: Int, height: Int }
    /// The kernels of the head.
    struct Star: Encodable {
      let rates: [Int], stride: Int, length: Int?
      /// The image's pixels between two features, across and down.
      let pitch: [Double]
      /// The pixels that the kernels' taps fall on, [x, y].
      let points: [[Int]]
    }
    /// The field over the part: bytes, row by row.
    struct Levels: Encodable { let width: Int, height: Int, data: Data }

    let model: String, x: Int, y: Int, width: Int, height: Int, label: String?
    let reading: String
    let halfWithin: Int, ninetyWithin: Int, extentWidth: Int, extentHeight: Int
    let part: Part, seen: Seen, star: Star?, field: Levels

    private enum CodingKeys: String, CodingKey {
      case model, x, y, width, height, reading, halfWithin, ninetyWithin, extentWidth
      case extentHeight, part, seen, star, field
      case label = "class"
    }

    init(_ found: Field, _ model: String, _ pixel: (x: Int, y: Int), _ size: Size) {
      let report = found.report
      self.model = model
      (x, y, width, height) = (pixel.x, pixel.y, size.width, size.height)
      (label, reading) = (report.label, report.reading)
      (halfWithin, ninetyWithin) = (report.halfWithin, report.ninetyWithin)
      (extentWidth, extentHeight) = (report.extentWidth, report.extentHeight)
      part = Part(x: found.x, y: found.y, width: report.width, height: report.height)
      seen = Seen(width: found.seen.width, height: found.seen.height)
      star = report.featureStar.map { star in
        let pitch = (
          x: Double(report.stride) * report.pitch.x, y: Double(report.stride) * report.pitch.y
        )
        return Star(
          rates: star.rates, stride: report.stride, length: report.expectedLength,
          pitch: [pitch.x, pitch.y],
          points: star.offsets.map {
            [
              pixel.x + Int((Double($0.x) * pitch.x).rounded()),
              pixel.y + Int((Double($0.y) * pitch.y).rounded()),
            ]
          })
      }
      field = Levels(width: report.width, height: report.height, data: Data(report.levels))
    }
  }
}

extension ServedNetwork {
  /// The class that a request names, by name or number.
  ///
  /// - Throws: ``Problem``.
  func label(_ parameters: Parameters) throws -> Int? {
    guard let name = parameters["class"] else { return nil }
    let classes = session.labelMap.classes
    if let index = classes.firstIndex(where: { $0.name.lowercased() == name.lowercased() }) {
      return index
    }
    if let index = Int(name), classes.indices.contains(index) { return index }
    throw Problem(
      .badRequest,
      "class is '\(name.brief)', expected one of \(classes.map(\.name).joined(separator: ", "))")
  }

  /// The pixel that a request names; nil if it names none.
  ///
  /// - Throws: ``Problem``.
  func pixel(_ parameters: Parameters, _ size: Size) throws -> (x: Int, y: Int)? {
    let x = try parameters.int("x", in: 0...1_000_000)
    let y = try parameters.int("y", in: 0...1_000_000)
    guard let x, let y else {
      guard x == nil, y == nil else {
        throw Problem(.badRequest, "only one of x and y is given, expected both")
      }
      return nil
    }
    guard x < size.width, y < size.height else {
      throw Problem(
        .unprocessableEntity,
        "the pixel \(x),\(y) is outside of the image, expected one of \(size.width)×\(size.height)")
    }
    return (x, y)
  }
}
