import Foundation
import Imaging
import TestSupport
import Testing
import Weights

@Suite("Networks go out as ONNX")
struct ONNXExportTests {
  private let folder: TemporaryFolder
  private var path: String { folder.path }
  private var file: String { "\(path)/model.onnx" }

  init() throws { folder = try TemporaryFolder() }

  /// A configuration of a small network, with more in its section `model`.
  private func configuration(_ more: String = "") throws -> String {
    let text = """
      model:
        classes: 3
        backbone: {name: unet, widths: [4, 8, 8]\(more)}
        head: {name: linear}

      """
    try text.write(toFile: "\(path)/network.yaml", atomically: true, encoding: .utf8)
    return "\(path)/network.yaml"
  }

  private func export(_ network: String, _ more: [String]) throws -> Command.Outcome {
    try Command(["export", network, "--onnx", file] + more).wait()
  }

  private var names: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
  }

  @Test(
    "of one size, of any size, and with the weights beside the file",
    arguments: [
      (["--size", "40x30"], "40x30, logits", ["model.onnx"]),
      (["--dynamic", "--gives", "labels"], "any size, labels", ["model.onnx"]),
      (
        ["--dynamic", "--takes", "rgb", "--external-data"], "any size, logits",
        ["model.onnx", "model.onnx.data"]
      ),
    ])
  func written(_ options: [String], _ summary: String, _ files: [String]) throws {
    let outcome = try export(try configuration(), options + ["--example", "\(path)/example"])
    #expect(outcome.status == 0, "\(outcome)")
    #expect(
      outcome.output.hasPrefix("\(file): ")
        && outcome.output.contains("\(summary)\nread again: largest difference "))
    #expect(try names == ["example"] + files + ["network.yaml"])
    let example = try FileManager.default.contentsOfDirectory(atPath: "\(path)/example")
    #expect(example.sorted() == ["input_0.pb", "output_0.pb"])
  }

  @Test("in eight bits, calibrated on photographs, and read again")
  func wholeNumbers() throws {
    let photos = "\(path)/photos"
    try FileManager.default.createDirectory(atPath: photos, withIntermediateDirectories: true)
    for name in ["a", "b"] {
      try writePicture("\(photos)/\(name).png", Size(width: 64, height: 48))
    }
    let network = try PackagedNetwork.streets.file()
    let outcome = try export(
      network, ["--size", "64x48", "--int8", "--calibrate-on", photos, "--gives", "labels"])
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.output.contains("on a photograph of the calibration, 1 of 64x48"), "\(outcome)")
    let size = try FileManager.default.attributesOfItem(atPath: file)[.size] as? Int ?? 0
    let whole = try FileManager.default.attributesOfItem(atPath: network)[.size] as? Int ?? 0
    #expect(size > 0 && size < whole)
    // A network without data has no photographs of its own.
    try export(network, ["--int8", "--calibrate-on", "\(path)/none"])
      .expectRefusal("\(path)/none", "expected an image or a folder of images")
    try export(try configuration(), ["--int8"])
      .expectRefusal("expected a configuration with sections data and train")
  }

  @Test(
    "but not by a wrong command line, which has status 64",
    arguments: [
      (["--size", "40"], "--size is '40', expected WIDTHxHEIGHT"),
      (["--size", "0x30"], "--size is '0x30', expected WIDTHxHEIGHT"),
      (["--size", "-4x30"], "--size"),
      (["--opset", "12"], "--opset is '12', expected 13 to 23"),
      (["--opset", "24"], "--opset is '24', expected 13 to 23"),
      (["--opset", "new"], "--opset"),
      (["--takes", "bgr"], "--takes is 'bgr', expected normalized or rgb"),
      (["--gives", "masks"], "--gives is 'masks', expected logits, probabilities or labels"),
      (["--dynamic", "--size", "40x30"], "--dynamic writes a network for any size"),
      (["--calibrate-on", "photos"], "--calibrate-on expects --onnx and --int8"),
      (["--int8", "--calibration", "0"], "--calibration is 0, expected 1 to 1000000"),
      (["--half"], "--onnx takes no --output, --names, --checkpoint and --half"),
      (["--output", "weights.pth"], "--onnx takes no --output"),
      (["--dynamics"], "Did you mean '--dynamic'?"),
    ])
  func commandLine(_ options: [String], _ message: String) throws {
    let outcome = try export(try configuration(), options)
    #expect(outcome.status == 64, "\(outcome)")
    #expect(outcome.errors.contains(message), "\(outcome)")
    #expect(try names == ["network.yaml"])
  }

  @Test(
    "not without --onnx, nor under another suffix",
    arguments: [
      (["--dynamic"], "--dynamic needs --onnx"), (["--external-data"], "needs --onnx"),
      (["--size", "40x30"], "--size needs --onnx"), (["--opset", "20"], "--opset needs --onnx"),
      (["--onnx", "model.pb"], "--onnx is 'model.pb', expected NAME.onnx"),
    ])
  func alone(_ options: [String], _ message: String) throws {
    let outcome = try Command(["export", try configuration()] + options).wait()
    #expect(outcome.status == 64 && outcome.errors.contains(message), "\(outcome)")
  }

  @Test("not where the network does not fit, and what stood there before stays")
  func refused() throws {
    try "old".write(toFile: file, atomically: true, encoding: .utf8)
    try export(try configuration(", inputChannels: 4"), ["--takes", "rgb"])
      .expectRefusal("--takes: 'takes' is rgb, expected normalized")
    let swin = """
      model:
        classes: 3
        backbone: {name: swin_t}
        head: {name: fcn, channels: 8}

      """
    try swin.write(toFile: "\(path)/network.yaml", atomically: true, encoding: .utf8)
    try export("\(path)/network.yaml", ["--dynamic"])
      .expectRefusal("the network depends on its images' size", "backbone.")
    try export("\(path)/none.yaml", []).expectRefusal("\(path)/none.yaml")
    #expect(try String(contentsOfFile: file, encoding: .utf8) == "old")
    #expect(try names == ["model.onnx", "network.yaml"])
  }

  @Test("not into a folder that is a file, nor over a folder")
  func unwritable() throws {
    let network = try configuration()
    try Command.run("export", network, "--onnx", "\(network)/model.onnx", "--size", "40x30")
      .expectRefusal("\(network): cannot be written to: a part of the path is no folder")
    try FileManager.default.createDirectory(atPath: file, withIntermediateDirectories: true)
    try export(network, ["--size", "40x30", "--external-data"])
      .expectRefusal("\(file): cannot be written: it is a folder")
    #expect(try names == ["model.onnx", "network.yaml"])
  }
}
