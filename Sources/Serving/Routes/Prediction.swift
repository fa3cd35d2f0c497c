import Annotations
import Datasets
import Evaluation
import Foundation
import Imaging
import Inference
import NIOHTTP1

/// `POST /v1/predict`: what a network finds in an image.
enum PredictionRoute {
  static let forms = [
    AnswerForm(name: "json", type: "application/json"),
    AnswerForm(name: "labels", type: "image/png"),
    AnswerForm(name: "overlay", type: "image/png"),
    AnswerForm(name: "polygons", type: "application/geo+json"),
    AnswerForm(name: "probabilities", type: NumPyArray.type),
  ]
  static let parameters = ["model", "format", "opacity", "include", "step"]
  static let extras = ["labels", "confidence", "probabilities", "image"]

  /// What is asked for besides the image.
  struct Wish {
    let form: AnswerForm
    let opacity: Double
    let extras: Set<String>
    /// Of how many columns and rows one has its probabilities told.
    let step: Int

    init(_ parameters: Parameters, _ request: Request) throws {
      try parameters.check(known: PredictionRoute.parameters)
      form = try .chosen(of: PredictionRoute.forms, parameters, request.headers)
      opacity = try parameters.number("opacity", in: 0...1) ?? 0.5
      extras = try parameters.words("include", of: PredictionRoute.extras)
      step = try parameters.int("step", in: 1...64) ?? 1
    }

    /// What the network has to compute besides classes.
    var wanted: InferenceSession.Wanted {
      var wanted: InferenceSession.Wanted = []
      if form.name == "json", extras.contains("confidence") { wanted.insert(.confidence) }
      if form.name == "probabilities" || form.name == "json" && extras.contains("probabilities") {
        wanted.insert(.probabilities)
      }
      return wanted
    }

    /// Refuses probabilities that are more than an answer may be.
    func check(_ size: Size, classes: Int, _ limits: ServiceLimits) throws {
      guard wanted.contains(.probabilities) else { return }
      let (width, height) = ((size.width - 1) / step + 1, (size.height - 1) / step + 1)
      let bytes = 2 * classes * width * height
      guard bytes <= limits.answer else {
        throw Problem(
          .payloadTooLarge,
          "the probabilities of \(classes) classes at \(width)×\(height) pixels take \(bytes) bytes,"
            + " expected at most \(limits.answer); a larger step takes less")
      }
    }
  }

  /// The steps of a request.
  static func steps(_ request: Request, _ service: Service) -> Conveyor.Decoding {
    {
      let upload = try Upload(request)
      let wish = try Wish(upload.parameters, request)
      let network = try service.network(upload.parameters)
      let image = try upload.decoded(for: network, service.limits)
      try wish.check(image.size, classes: network.session.labelMap.count, service.limits)
      return {
        let prediction = try network.session.predict(
          image, file: Upload.field, wanted: wish.wanted)
        return { try answer(prediction, image, network, wish) }
      }
    }
  }

  private static func answer(
    _ prediction: Prediction, _ image: Image, _ network: ServedNetwork, _ wish: Wish
  ) throws -> Answer {
    let map = network.session.labelMap
    switch wish.form.name {
    case "labels":
      return Answer(try prediction.mask.png(map.palette), type: wish.form.type)
    case "overlay":
      let overlay = image.overlaid(
        classes: prediction.mask.classes, palette: map.palette, opacity: wish.opacity,
        clear: map.background)
      return Answer(try overlay.png(), type: wish.form.type)
    case "polygons":
      let text = try OutlineWriter.geoJSON(
        prediction.mask.labelImage,
        classes: zip(map.classes, map.palette).map { ($0.name, $1) })
      return Answer(text: text, type: wish.form.type)
    case "probabilities":
      let samples = prediction.probabilities.map { $0.samples(every: wish.step) { $0.halfBits } }
      guard let samples else { throw Problem(.internalServerError, "there are no probabilities") }
      return Answer(
        NumPyArray.bytes(
          samples.values, kind: "<f2", shape: [map.count, samples.size.height, samples.size.width]),
        type: wish.form.type)
    default:
      return try Answer(json: Findings(prediction, image, network, wish))
    }
  }

  /// The answer in JSON.
  private struct Findings: Encodable {
    /// A class that occurs.
    struct Entry: Encodable {
      let index: Int, name: String, color: String, pixels: Int, share: Double
      /// The mean probability of its pixels.
      let confidence: Double?
    }
    /// Probabilities in 255ths: bytes, class by class, row by row.
    struct Levels: Encodable { let step: Int, width: Int, height: Int, data: Data }

    let model: String, width: Int, height: Int
    /// The classes that occur, the largest first.
    let classes: [Entry]
    /// The classes of all pixels as a grey PNG, 255 where there is none.
    let labels: Data?
    let probabilities: Levels?
    /// The image as a PNG, as the network saw it.
    let image: Data?

    init(_ prediction: Prediction, _ image: Image, _ network: ServedNetwork, _ wish: Wish) throws {
      let (mask, map) = (prediction.mask, network.session.labelMap)
      (model, width, height) = (network.name, mask.width, mask.height)
      var counts = [Int](repeating: 0, count: 256)
      mask.classes.withUnsafeBufferPointer { for value in $0 { counts[Int(value)] += 1 } }
      var sums = [Double](repeating: 0, count: 256)
      if let confidence = prediction.confidence {
        for (value, sureness) in zip(mask.classes, confidence) {
          sums[Int(value)] += Double(sureness)
        }
      }
      let total = max(1, mask.classes.count)
      classes = map.classes.indices.filter { counts[$0] > 0 }
        .sorted { counts[$0] > counts[$1] }
        .map { index in
          Entry(
            index: index, name: map.classes[index].name, color: map.palette[index].hexadecimal,
            pixels: counts[index], share: Double(counts[index]) / Double(total),
            confidence: prediction.confidence.map { _ in sums[index] / Double(counts[index]) })
        }
      labels =
        wish.extras.contains("labels")
        ? Data(
          try Image(
            width: mask.width, height: mask.height, channels: 1, pixels: mask.classes
          ).png()) : nil
      probabilities = prediction.probabilities.map {
        let samples = $0.samples(every: wish.step) { UInt8((max(0, min(1, $0)) * 255).rounded()) }
        return Levels(
          step: wish.step, width: samples.size.width, height: samples.size.height,
          data: Data(samples.values))
      }
      self.image = wish.extras.contains("image") ? Data(try image.png()) : nil
    }
  }
}

extension ClassProbabilities {
  /// The probabilities of the pixels in the middles of squares of `step` pixels, (classes, H, W).
  func samples<Sample>(
    every step: Int, _ sample: (Float) -> Sample
  ) -> (size: Size, values: [Sample]) {
    guard step > 1 else { return (size, values.map(sample)) }
    func middles(_ count: Int) -> [Int] {
      stride(from: 0, to: count, by: step).map { min($0 + step / 2, count - 1) }
    }
    let (columns, rows) = (middles(size.width), middles(size.height))
    var out: [Sample] = []
    out.reserveCapacity(classes * columns.count * rows.count)
    for band in 0..<classes {
      for y in rows {
        let start = (band * size.height + y) * size.width
        for x in columns { out.append(sample(values[start + x])) }
      }
    }
    return (Size(width: columns.count, height: rows.count), out)
  }
}

extension Color {
  /// The colour as CSS writes it, such as `#8040ff`.
  var hexadecimal: String {
    "#"
      + [red, green, blue].map { value in
        let digits = String(value, radix: 16)
        return digits.count < 2 ? "0\(digits)" : digits
      }.joined()
  }
}

extension ClassMask {
  /// The classes as values of which ignored pixels are none.
  fileprivate var labelImage: LabelImage {
    LabelImage(
      width: width, height: height,
      values: classes.map { $0 == LabelMap.ignored ? AnnotationSet.ignoredValue : UInt16($0) })
  }
}
