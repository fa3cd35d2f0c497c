import Analysis
import Imaging
import Inference
import Weights

/// `swift run -c release receptive-field photo.jpg`: how far a pixel of the packaged network looks.
@main
enum ReceptiveField {
  static func main() throws {
    guard let photograph = CommandLine.arguments.dropFirst().first else {
      return print("expected a photograph")
    }
    let report = try field(of: photograph)
    print("half of what the middle looks at lies within", report.halfWithin, "pixels")
    print("nine tenths lie within", report.ninetyWithin)
  }

  /// The effective receptive field of the middle of a photograph, at the photograph's size.
  static func field(of photograph: String) throws -> FieldReport {
    let network = try TrainedNetwork(checkpoint: PackagedNetwork.streets.file())
    let images = ImageSource([photograph], encoding: network.encoding)
    return try FieldReport(
      network.model, images, size: ImageInfo(contentsOf: photograph).size,
      names: network.classNames)
  }
}
