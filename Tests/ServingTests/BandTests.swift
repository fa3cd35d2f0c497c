import Checkpoints
import Datasets
import Evaluation
import Foundation
import Imaging
import Testing
import Torch

@testable import Inference
@testable import Serving

/// A network that sees four bands of files, in another order than theirs.
private let shared = Result {
  let folder = NSTemporaryDirectory() + "bands-\(ProcessInfo.processInfo.processIdentifier)"
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: folder) }  // may fail: it is temporary
  let text = """
    data:
      classes: [water, field, town]
      bands: [4, 3, 2, 1]
      range: [0, 6000]
      normalization: {mean: [0.4, 0.5, 0.3, 0.2], deviation: [0.2, 0.2, 0.2, 0.2]}
    model:
      backbone: {name: densenet, blocks: [2, 2], growth: 8, stem: 16, outputStride: 8}
      head: {name: denseaspp, dilations: [1, 2], growth: 8, bottleneck: 16}
    """
  let path = "\(folder)/network.yaml"
  try text.write(toFile: path, atomically: true, encoding: .utf8)
  let drawn = try TrainedNetwork(path)
  let map = try #require(drawn.labelMap)
  let record = CheckpointRecord(
    configuration: drawn.configuration.yaml, step: 0, map, drawn.encoding)
  let file = "\(folder)/bands.safetensors"
  try WeightFile.write(
    drawn.model.state,
    metadata: ["atrous": String(decoding: JSONEncoder().encode(record), as: UTF8.self)], to: file)
  let network = try ServedNetwork(file)
  let service = Service([network])
  return (network: network, port: try service.listen(host: "127.0.0.1", port: 0))
}

@Suite("A service of many bands")
struct BandTests {
  private let width = 72, height = 56

  private func sample(_ band: Int, _ x: Int, _ y: Int) -> UInt16 {
    UInt16((x * 61 + y * 37 * (band + 1) + band * 900) % 6000)
  }

  /// The bands one after the other, as an array of NumPy.
  private var array: [UInt8] {
    let values = (0..<4).flatMap { band in
      (0..<height).flatMap { y in (0..<width).map { sample(band, $0, y) } }
    }
    return NumPyArray.bytes(values, kind: "<u2", shape: [4, height, width])
  }

  @Test("an array and a TIFF of four bands are segmented as from a file")
  func predicts() throws {
    let (network, port) = try shared.get()
    let plan = try #require(network.session.bandPlan)
    let image = try Image(decoding: array, named: "array", plan: plan)
    let expected = try network.session.predict(image).mask.classes.map(UInt16.init)
    #expect(Set(expected).count > 1)
    let folder = NSTemporaryDirectory() + "band-body-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }  // may fail: it is temporary
    let tiff = try TiledResult(
      "\(folder)/a.tif", size: Size(width: width, height: height), content: .shares(bands: 4),
      place: nil, subject: "", isResumed: false)
    try tiff.append(
      (0..<width * height).flatMap { i in
        (0..<4).map { UInt8(sample($0, i % width, i / width) / 40) }
      })
    try tiff.finish()
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(folder)/a.tif")))
    let other = try network.session.predict(Image(decoding: bytes, named: "tiff", plan: plan))
    for (body, type, classes) in [
      (array, "application/octet-stream", expected), (array, NumPyArray.type, expected),
      (bytes, "image/tiff", other.mask.classes.map(UInt16.init)),
    ] {
      let answer = try ask(
        port, "POST", "/v1/predict", body, type: type, headers: ["Accept: image/png"])
      #expect(answer.status == 200, "\(String(decoding: answer.body, as: UTF8.self))")
      #expect(try LabelImage(decoding: answer.body, named: "answer").values == classes)
    }
    let models = try ask(port, "GET", "/v1/models").json["models"] as? [[String: Any]]
    #expect(models?.first?["bands"] as? [Int] == [4, 3, 2, 1])
    let overlay = try ask(port, "POST", "/v1/predict?format=overlay", array)
    #expect(try Image(decoding: overlay.body, named: "overlay").size == image.size)
  }

  @Test("a click is explained, and features are compared")
  func explains() throws {
    let (_, port) = try shared.get()
    for route in ["explain", "similarity"] {
      let answer = try ask(port, "POST", "/v1/\(route)?x=30&y=20", array)
      #expect(answer.status == 200, "\(String(decoding: answer.body, as: UTF8.self))")
      #expect(answer.json["width"] as? Int == width)
    }
  }

  @Test("what lacks a band, is cut off or too large is refused, and no file is looked at")
  func refuses() throws {
    let (_, port) = try shared.get()
    let three = NumPyArray.bytes(
      [UInt16](repeating: 7, count: 3 * 16), kind: "<u2", shape: [3, 4, 4])
    let cut = Array(array.dropLast(10))
    let header = "{'descr': '<u2', 'fortran_order': False, 'shape': (4, 100000, 100000), }\n"
    let huge =
      [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8)
    for (body, status, words) in [
      (three, 415, ["3 bands", "a band 4"]), (cut, 422, ["ends before its last number"]),
      (huge, 422, ["ends before its last number"]), (Array("/etc/hostname".utf8), 415, []),
    ] {
      let answer = try ask(port, "POST", "/v1/predict", body)
      let detail = answer.json["detail"] as? String ?? ""
      #expect(answer.status == status, "\(detail)")
      for word in words { #expect(detail.contains(word), "\(detail)") }
    }
  }
}
