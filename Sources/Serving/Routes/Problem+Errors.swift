import Analysis
import Configuration
import Evaluation
import Imaging
import NIOHTTP1
import Torch

extension Problem {
  /// What a client is told of an error: whose fault it is, and what was expected.
  init(_ error: any Error) {
    switch error {
    case let problem as Problem: self = problem
    case let error as ImageError:
      let status: HTTPResponseStatus =
        switch error {
        case .notAnImage, .unsupported, .unknownFormat: .unsupportedMediaType
        case .tooLarge: .payloadTooLarge
        default: .unprocessableEntity
        }
      self.init(status, error.description)
    case let error as PredictionError:
      switch error {
      case .tooLarge, .seenTooLarge: self.init(.payloadTooLarge, error.description)
      case .otherBands: self.init(.unprocessableEntity, error.description)
      }
    case SimilarityError.absent(let label):
      self.init(.unprocessableEntity, "no position of the image has the class '\(label)'")
    case LayerError.unknown(_, let known):
      self.init(
        .badRequest,
        "the network has no such layer, expected 'features' or the beginning of a layer's name such as"
          + " \(known.joined(separator: ", "))")
    case let error as LayerError:
      self.init(.unprocessableEntity, error.description.replacing("--layer ", with: "layer "))
    case let error as TorchError:
      self.init(.unprocessableEntity, "the network cannot take this image: \(error.message)")
    default: self.init(.internalServerError, "\(error)")
    }
  }
}
