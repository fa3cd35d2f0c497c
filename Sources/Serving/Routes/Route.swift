import Datasets
import Foundation
import Imaging
import Inference
import NIOHTTP1

/// A path of the service.
struct Route: Sendable {
  /// How an answer is made.
  enum Work: Sendable {
    /// At once.
    case now(@Sendable (Service, Request) throws -> Answer)
    /// On another thread, as it takes a while.
    case aside(@Sendable (Service, Request) throws -> Answer)
    /// With a network.
    case image(@Sendable (Request, Service) -> Conveyor.Decoding)
  }

  let path: String
  /// Whether everybody may ask, whatever the token.
  var isOpen = false
  /// Whether it stands in the description of the service.
  var isDescribed = true
  let work: Work

  /// Whether requests have an image as their body.
  var takesImage: Bool { if case .image = work { true } else { false } }
  /// What may be asked.
  var methods: [HTTPMethod] { takesImage ? [.POST] : [.GET, .HEAD] }

  /// All that there are.
  static let all: [Route] =
    [
      Route(path: "/v1/predict", work: .image(PredictionRoute.steps)),
      Route(path: "/v1/explain", work: .image(ExplanationRoute.steps)),
      Route(path: "/v1/similarity", work: .image(SimilarityRoute.steps)),
      Route(path: "/v1/models", work: .now { service, _ in try service.models() }),
      Route(
        path: "/healthz", isOpen: true,
        work: .now { service, _ in try service.health() }),
      Route(
        path: "/metrics",
        work: .now { service, _ in
          Answer(text: service.metrics.text(service.gauges), type: "text/plain; version=0.0.4")
        }),
      Route(
        path: "/openapi.json",
        work: .now { service, _ in Answer(OpenAPI(service).bytes, type: "application/json") }),
    ]
    + PageFile.all.map { file in
      Route(
        path: file.path, isOpen: true, isDescribed: file.path == "/",
        work: .now { _, _ in file.answer })
    }
    + ExampleScene.all.map { scene in
      Route(
        path: scene.path, isOpen: true, isDescribed: false,
        work: .aside { _, _ in try scene.answer() })
    }
}

extension Service {
  /// The networks with their classes.
  fileprivate func models() throws -> Answer {
    struct Class: Encodable { let index: Int, name: String, color: String }
    struct Model: Encodable {
      let name: String, isDefault: Bool, explains: [String], classes: [Class]
      /// The bands of a file that the network sees, from 1; nil for pictures in red, green and blue.
      let bands: [Int]?
      private enum CodingKeys: String, CodingKey {
        case name, explains, classes, bands
        case isDefault = "default"
      }
    }
    struct Body: Encodable { let models: [Model] }
    return try Answer(
      json: Body(
        models: networks.enumerated().map { index, network in
          let map = network.session.labelMap
          return Model(
            name: network.name, isDefault: index == 0,
            explains: ["explain"] + (network.hasParts ? ["similarity"] : []),
            classes: map.classes.indices.map {
              Class(index: $0, name: map.classes[$0].name, color: map.palette[$0].hexadecimal)
            }, bands: network.session.bandPlan.map { $0.bands.map { $0 + 1 } })
        }))
  }

  /// Whether requests are taken.
  fileprivate func health() throws -> Answer {
    struct Body: Encodable { let status: String }
    guard !isStopping else { throw Problem(.serviceUnavailable, "the service is to stop") }
    return try Answer(json: Body(status: "ok"))
  }
}
