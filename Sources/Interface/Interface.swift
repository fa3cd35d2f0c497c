import Datasets
import Evaluation
import Files
import Foundation
import Imaging
import Inference
import Torch
import Weights

// The C interface: what other languages call, declared for them in Packaging/atrous.h.
//
// A function that can fail gives 0, or 1 and a message in `error`, which the caller frees by atrous_free. Any
// thread may call any of them; one image at a time goes through a session.

/// A message or a text that the caller frees.
public typealias Text = UnsafeMutablePointer<CChar>?

/// The version of Atrous.
@_cdecl("atrous_version")
public func atrousVersion() -> Text { strdup(PackageVersion.current) }

/// Frees a text.
@_cdecl("atrous_free")
public func atrousFree(_ text: Text) { free(text) }

/// Opens a network: a run's folder, a checkpoint, an ONNX file, or a packaged one where `path` is null.
///
/// `options` is null or a JSON object with `packaged` (`streets` or `vessels`), `overrides`, `device`, `precision`, `memoryBudget`, `tiles`, `scales`,
/// `flip`.
@_cdecl("atrous_open")
public func atrousOpen(
  _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<CChar>?,
  _ session: UnsafeMutablePointer<UnsafeMutableRawPointer?>, _ error: UnsafeMutablePointer<Text>?
) -> CInt {
  reporting(to: error) {
    let options = try OpeningOptions(options)
    let opened = try InferenceSession(
      path.map { String(cString: $0) } ?? options.packagedNetwork().file(),
      overrides: options.settings, options: options.inference(),
      device: .loaded(options.device ?? "cpu"))
    session.pointee = Unmanaged.passRetained(opened).toOpaque()
  }
}

/// Closes a session.
@_cdecl("atrous_close")
public func atrousClose(_ session: UnsafeMutableRawPointer?) {
  if let session { Unmanaged<InferenceSession>.fromOpaque(session).release() }
}

/// What a session's network is: a JSON object with `classes` (names), `colors` (rows of red, green, blue), `bands`,
/// and `notes`.
@_cdecl("atrous_describe")
public func atrousDescribe(_ session: UnsafeMutableRawPointer) -> Text {
  let session = network(session)
  let description = Description(
    classes: session.labelMap.classes.map(\.name),
    colors: session.labelMap.palette.prefix(session.labelMap.count).map {
      [$0.red, $0.green, $0.blue]
    },
    bands: session.bandPlan?.bands.count ?? 3, notes: session.notes)
  return strdup((try? jsonText(description)) ?? "{}")  // may fail: never, for texts and numbers
}

/// Decodes an image file as the network reads images; gives an image and its size.
@_cdecl("atrous_image_open")
public func atrousImageOpen(
  _ session: UnsafeMutableRawPointer, _ path: UnsafePointer<CChar>,
  _ image: UnsafeMutablePointer<UnsafeMutableRawPointer?>, _ width: UnsafeMutablePointer<Int64>,
  _ height: UnsafeMutablePointer<Int64>, _ error: UnsafeMutablePointer<Text>?
) -> CInt {
  reporting(to: error) {
    let file = String(cString: path)
    let decoded = Decoded(try network(session).image(file), file)
    (width.pointee, height.pointee) = (Int64(decoded.image.width), Int64(decoded.image.height))
    image.pointee = Unmanaged.passRetained(decoded).toOpaque()
  }
}

/// An image of pixels of 8 bits, (height, width, bands) without gaps, which are copied.
@_cdecl("atrous_image_make")
public func atrousImageMake(
  _ session: UnsafeMutableRawPointer, _ pixels: UnsafePointer<UInt8>, _ width: Int64,
  _ height: Int64, _ bands: Int64, _ image: UnsafeMutablePointer<UnsafeMutableRawPointer?>,
  _ error: UnsafeMutablePointer<Text>?
) -> CInt {
  reporting(to: error) {
    let session = network(session)
    guard (1..<1 << 31).contains(width), (1..<1 << 31).contains(height) else {
      throw InterfaceError.size(width, height)
    }
    let expected = session.bandPlan?.bands.count ?? 3
    guard bands == expected else { throw InterfaceError.bands(bands, expected: expected) }
    let size = Size(width: Int(width), height: Int(height))
    try session.admit(size, file: "the image")
    let count = size.width * size.height * expected
    let made = Image(
      width: size.width, height: size.height, channels: expected,
      pixels: Array(UnsafeBufferPointer(start: pixels, count: count)))
    image.pointee = Unmanaged.passRetained(Decoded(made, "the image")).toOpaque()
  }
}

/// Gives an image back.
@_cdecl("atrous_image_close")
public func atrousImageClose(_ image: UnsafeMutableRawPointer?) {
  if let image { Unmanaged<Decoded>.fromOpaque(image).release() }
}

/// Segments an image: gives an array of labels (height, width) and, unless `probabilities` is null, one of
/// probabilities (classes, height, width).
@_cdecl("atrous_predict")
public func atrousPredict(
  _ session: UnsafeMutableRawPointer, _ image: UnsafeMutableRawPointer,
  _ labels: UnsafeMutablePointer<UnsafeMutableRawPointer?>,
  _ probabilities: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
  _ error: UnsafeMutablePointer<Text>?
) -> CInt {
  reporting(to: error) {
    let decoded = Unmanaged<Decoded>.fromOpaque(image).takeUnretainedValue()
    let found = try network(session).predict(
      decoded.image, file: decoded.file, wanted: probabilities == nil ? [] : [.probabilities])
    labels.pointee = lent(Numbers(found.mask.classes))
    if let probabilities {
      probabilities.pointee = lent(Numbers(found.probabilities?.values ?? []))
    }
  }
}

/// Where an array's numbers are, until it is closed.
@_cdecl("atrous_array_numbers")
public func atrousArrayNumbers(_ array: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
  Unmanaged<Lent>.fromOpaque(array).takeUnretainedValue().place
}

/// Gives an array back.
@_cdecl("atrous_array_close")
public func atrousArrayClose(_ array: UnsafeMutableRawPointer?) {
  if let array { Unmanaged<Lent>.fromOpaque(array).release() }
}

/// Scores a network on its data or a split of it; gives the result as JSON.
///
/// `options` as in ``atrousOpen(_:_:_:_:)``, and `split`.
@_cdecl("atrous_evaluate")
public func atrousEvaluate(
  _ path: UnsafePointer<CChar>, _ options: UnsafePointer<CChar>?,
  _ result: UnsafeMutablePointer<Text>, _ error: UnsafeMutablePointer<Text>?
) -> CInt {
  reporting(to: error) {
    let options = try OpeningOptions(options)
    let scoring = try NetworkScoring(
      String(cString: path), overrides: options.settings, .init(split: options.split),
      inference: options.inference(), device: .loaded(options.device ?? "cpu"))
    result.pointee = strdup(String(decoding: try scoring.run().json(), as: UTF8.self))
  }
}

private func lent(_ array: Lent) -> UnsafeMutableRawPointer {
  Unmanaged.passRetained(array).toOpaque()
}

/// An array that a caller holds.
private class Lent {
  /// Where its numbers are; they stay there as long as it lives.
  var place: UnsafeMutableRawPointer? { nil }
}

/// An array of numbers, which are not copied.
private final class Numbers<Number>: Lent {
  private var numbers: [Number]

  init(_ numbers: [Number]) { self.numbers = numbers }

  // Nobody else has the array by the time that a caller asks, and nothing here changes it: it keeps its place.
  override var place: UnsafeMutableRawPointer? {
    numbers.withUnsafeMutableBufferPointer { UnsafeMutableRawPointer($0.baseAddress) }
  }
}

/// An image that a caller holds.
private final class Decoded {
  let image: Image
  let file: String

  init(_ image: Image, _ file: String) { (self.image, self.file) = (image, file) }
}

private struct Description: Encodable {
  let classes: [String]
  let colors: [[UInt8]]
  let bands: Int
  let notes: [String]
}

private func network(_ session: UnsafeMutableRawPointer) -> InferenceSession {
  Unmanaged<InferenceSession>.fromOpaque(session).takeUnretainedValue()
}

/// Runs a body; what fails in it becomes a message and the status 1.
private func reporting(to error: UnsafeMutablePointer<Text>?, _ body: () throws -> Void) -> CInt {
  do {
    try attempt(body)
    return 0
  } catch let failure {
    error?.pointee = strdup("\(failure)")
    return 1
  }
}

/// What a network is opened with.
private struct OpeningOptions: Decodable {
  /// The name of the package's network that is meant where there is no path.
  var packaged: String?
  /// The keys of the configuration and their values, such as `data.orientation=stored`.
  var overrides: [String]?
  /// `cpu`, `cuda` or `cuda:N`.
  var device: String?
  /// `float32`, `bfloat16` or `int8`; that of training where there is none.
  var precision: String?
  /// The memory that an image may take, in bytes.
  var memoryBudget: Int?
  /// Whether images that need more are cut into tiles.
  var tiles: Bool?
  /// The factors by which images are resized.
  var scales: [Double]?
  /// Whether images are seen mirrored, too.
  var flip: Bool?
  /// What is scored.
  var split: String?

  init(_ text: UnsafePointer<CChar>?) throws {
    let json = text.map { String(cString: $0) } ?? "{}"
    do {
      self = try JSONDecoder().decode(Self.self, from: Data(json.utf8))
    } catch {
      throw InterfaceError.options(json)
    }
  }

  /// The overrides, and those that scales and mirror images are.
  var settings: [String] {
    (overrides ?? []) + (scales.map { ["evaluate.scales=\($0)"] } ?? [])
      + (flip.map { ["evaluate.flip=\($0)"] } ?? [])
  }

  func packagedNetwork() throws -> PackagedNetwork {
    guard let packaged else { return .streets }
    guard let known = PackagedNetwork(rawValue: packaged) else {
      throw InterfaceError.packaged(packaged)
    }
    return known
  }

  func inference() throws -> InferenceSession.Options {
    var options = InferenceSession.Options()
    if let precision {
      guard let known = InferencePrecision(rawValue: precision) else {
        throw InterfaceError.precision(precision)
      }
      options.form.precision = known
    }
    if let memoryBudget { options.memoryBudget = memoryBudget }
    options.tiles = tiles ?? false
    return options
  }
}

/// What a caller did wrong.
private enum InterfaceError: Error, CustomStringConvertible {
  case options(String)
  case packaged(String)
  case precision(String)
  case bands(Int64, expected: Int)
  case size(Int64, Int64)

  var description: String {
    switch self {
    case .options(let json):
      "the options are \(json), expected an object with packaged, overrides, device, precision,"
        + " memoryBudget, tiles, scales, flip and split"
    case .packaged(let name):
      "the packaged network is '\(name)', expected "
        + PackagedNetwork.allCases.map(\.rawValue).joined(separator: " or ")
    case .precision(let name):
      "the precision is '\(name)', expected "
        + InferencePrecision.allCases.map(\.rawValue).joined(separator: ", ")
    case .bands(let bands, let expected):
      "the image has \(bands) bands, expected \(expected)"
    case .size(let width, let height):
      "the image has \(width)×\(height) pixels, expected at least 1×1"
    }
  }
}
