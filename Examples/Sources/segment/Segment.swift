import Imaging
import Inference
import Weights

/// `swift run -c release segment photo.jpg labels.png`: segments a photograph with the packaged network.
@main
enum Segment {
  static func main() throws {
    let paths = CommandLine.arguments.dropFirst()
    guard let photograph = paths.first, let labels = paths.dropFirst().first else {
      return print("expected a photograph and the file for its labels")
    }
    for (name, share) in try segment(photograph, to: labels) { print(name, share) }
  }

  /// Writes the class of each pixel, and gives the share of each class that occurs, the largest first.
  static func segment(
    _ photograph: String, to labels: String
  ) throws -> [(name: String, share: Double)] {
    let session = try InferenceSession(PackagedNetwork.streets.file())
    let prediction = try session.predict(session.image(photograph), file: photograph)
    try prediction.mask.writePNG(to: labels, palette: session.labelMap.palette)
    return prediction.shares
  }
}
