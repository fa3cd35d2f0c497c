import Analysis
import Datasets
import Evaluation
import Foundation
import Imaging
import Inference
import NIOHTTP1

/// `POST /v1/similarity`: where an image looks alike to a network.
enum SimilarityRoute {
  static let forms = [
    AnswerForm(name: "json", type: "application/json"),
    AnswerForm(name: "picture", type: "image/png"),
    AnswerForm(name: "cosines", type: NumPyArray.type),
  ]
  static let parameters = ["model", "format", "x", "y", "class", "layer"]

  /// The steps of a request.
  static func steps(_ request: Request, _ service: Service) -> Conveyor.Decoding {
    {
      let upload = try Upload(request)
      let parameters = upload.parameters
      try parameters.check(known: Self.parameters)
      let form = try AnswerForm.chosen(of: forms, parameters, request.headers)
      let network = try service.network(parameters)
      guard network.hasParts else {
        throw Problem(
          .unprocessableEntity,
          "the model '\(network.name)' is an ONNX file, whose layers have no features that are known"
        )
      }
      let label = try network.label(parameters)
      let layer = parameters["layer"] ?? "features"
      let image = try upload.decoded(for: network, service.limits).rgb
      let pixel = try network.pixel(parameters, image.size)
      guard (pixel == nil) != (label == nil) else {
        throw Problem(.badRequest, "expected either x and y, or class")
      }
      let reference =
        pixel.map { SimilarityReference.pixel(x: $0.x, y: $0.y) } ?? .label(label ?? 0)
      return {
        nonisolated(unsafe) let found = try network.analyzing {
          try Similarity(
            $0.model, image, named: Upload.field, seen: $0.seen, encoding: $0.encoding,
            reference: reference, layer: layer, names: $0.classNames, device: $0.device)
        }
        return {
          switch form.name {
          case "picture": return Answer(try found.heatMap.image().png(), type: form.type)
          case "cosines":
            return Answer(
              NumPyArray.bytes(
                found.cosines, kind: "<f4", shape: [found.mapHeight, found.mapWidth]),
              type: form.type)
          default: return try Answer(json: Alike(found, network.name))
          }
        }
      }
    }
  }

  /// The answer in JSON.
  private struct Alike: Encodable {
    let model: String, layer: String, reference: String
    let width: Int, height: Int, mapWidth: Int, mapHeight: Int, channels: Int
    /// The cosines in thousandths, row by row.
    let cosines: [Int]
    let inside: Double?, outside: Double?

    init(_ found: Similarity, _ model: String) {
      self.model = model
      (layer, reference) = (found.layer, found.reference)
      (width, height) = (found.width, found.height)
      (mapWidth, mapHeight, channels) = (found.mapWidth, found.mapHeight, found.channels)
      cosines = found.cosines.map { $0.isFinite ? Int(($0 * 1000).rounded()) : 0 }
      (inside, outside) = (found.inside, found.outside)
    }
  }
}
