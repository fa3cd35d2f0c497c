import Foundation
import Imaging
import TestSupport
import Testing
import Torch

@Suite("The precision of inference")
struct PrecisionTests {
  private static let isSupported = InferencePrecision.bfloat16.isSupported

  @Test("what it gains and loses is told beside float32, on all images")
  func against() throws {
    let run = try Run.finished()
    let arguments = [
      "evaluate", run.path, "--precision", "bfloat16", "--against", "float32",
    ]
    let outcome = try Command(arguments).wait()
    guard Self.isSupported else {
      return outcome.expectRefusal("precision bfloat16: this processor has no instructions")
    }
    #expect(outcome.status == 0, "\(outcome)")
    for part in ["6 images", "float32 with 1×1 products in bfloat16", "difference", "same class"] {
      #expect(outcome.output.contains(part), "\(part)\n\(outcome)")
    }
    struct Report: Decodable {
      struct Side: Decodable {
        let precision: String
        let meanIoU, secondsPerImage: Double
      }
      let precision, reference: Side
      let agreement: Double
      let images: Int
    }
    let report = try JSONDecoder().decode(
      Report.self, from: Data(try Command(arguments + ["--json"]).wait().output.utf8))
    #expect(report.images == 6 && report.reference.precision == "float32")
    #expect(report.agreement > 0.99 && report.agreement <= 1)
    #expect(abs(report.precision.meanIoU - report.reference.meanIoU) < 0.01)
    #expect(report.precision.secondsPerImage > 0 && report.reference.secondsPerImage > 0)
    // Each is what it would be alone.
    for (precision, side) in [("bfloat16", report.precision), ("float32", report.reference)] {
      let alone = try Command.run("evaluate", run.path, "--precision", precision, "--json")
      struct Result: Decodable {
        struct Scores: Decodable { let meanIoU: Double }
        struct Scoring: Decodable { let precision: String }
        let scores: Scores
        let `protocol`: Scoring
      }
      let result = try JSONDecoder().decode(Result.self, from: Data(alone.output.utf8))
      #expect(result.scores.meanIoU == side.meanIoU)
      #expect(result.protocol.precision == side.precision)
    }
  }

  @Test("the fastest that loses little is found, and kept for the next time")
  func automatic() throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    func evaluated(_ more: String...) throws -> Command.Outcome {
      try Command(
        "/usr/bin/env",
        [
          "ATROUS_PLANS=\(folder.path)", Command.program, "evaluate", run.path, "--precision",
          "auto",
          "--calibration", "2",
        ] + more
      ).wait()
    }
    let outcome = try evaluated("--tolerance", "100")
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.errors.contains("note: precision "), "\(outcome)")
    #expect(outcome.errors.contains("the fastest within 100.0 points on 2 images (float32 "))
    for precision in InferencePrecision.allCases {
      #expect(
        outcome.errors.contains("\(precision) ") == precision.isSupported || precision == .float32)
    }
    let kept = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    #expect(kept.count == 1 && kept[0].hasPrefix("precision-") && kept[0].hasSuffix(".json"))
    // What was found is read again, with the same times.
    let again = try evaluated("--tolerance", "100")
    #expect(again.errors == outcome.errors && again.status == 0)
    // A file that is none is found anew.
    try "{}".write(toFile: "\(folder.path)/\(kept[0])", atomically: true, encoding: .utf8)
    #expect(try evaluated().status == 0)
    #expect(FileManager.default.contents(atPath: "\(folder.path)/\(kept[0])")?.count ?? 0 > 100)
  }

  @Test(
    "options that ask for nothing are refused",
    arguments: [
      (["--tolerance", "1"], "--tolerance expects --precision auto"),
      (["--precision", "auto", "--tolerance", "-1"], "--tolerance"),
      (["--precision", "auto", "--no-prepare"], "--precision auto chooses for a prepared network"),
      (["--precision", "auto", "--against", "float32"], "--against float32 expects"),
      (["--calibrate-on", "photos"], "--calibrate-on expects --precision int8 or auto"),
      (["--explain"], "--explain expects --precision int8"),
      (["--precision", "int8", "--explain", "--boundary"], "--explain has no --output"),
    ])
  func commandLine(_ options: [String], _ message: String) throws {
    let outcome = try Command(["evaluate", "run"] + options).wait()
    #expect(outcome.status == 64 && outcome.errors.contains(message), "\(outcome)")
  }

  @Test(
    "what each layer takes away is told",
    .enabled(if: InferencePrecision.int8.isSupported, "the processor has no products of codes"))
  func explained() throws {
    let run = try Run.finished()
    let arguments = [
      "evaluate", run.path, "--precision", "int8", "--explain", "--calibration", "2",
    ]
    let outcome = try Command(arguments).wait()
    #expect(outcome.status == 0, "\(outcome)")
    #expect(
      outcome.output.contains("error alone") && outcome.output.contains("in higher precision"))
    struct Report: Decodable {
      struct Layer: Decodable {
        let name, way: String
        let milliseconds: Double
        let error: Double?
      }
      let layers: [Layer]
      let error, milliseconds: Double
    }
    let report = try JSONDecoder().decode(
      Report.self, from: Data(try Command(arguments + ["--json"]).wait().output.utf8))
    let alone = report.layers.compactMap(\.error)
    #expect(!alone.isEmpty && alone.count < report.layers.count && alone.allSatisfy { $0 > 0 })
    // Errors of layers add up, by their squares if they have nothing to do with each other.
    let sum = alone.reduce(0) { $0 + $1 * $1 }.squareRoot()
    #expect(report.error > sum / 4 && report.error < sum * 4)
  }

  /// Evaluates a run in int8 with the instructions of `set` and lesser ones.
  private func evaluated(by set: String) throws -> Command.Outcome {
    try Command(
      "/usr/bin/env",
      [
        "ATROUS_ISA=\(set)", Command.program, "evaluate", try Run.finished().path, "--precision",
        "int8", "--calibration", "4", "--against", "float32", "--json",
      ]
    ).wait()
  }

  @Test(
    "whole numbers are multiplied by lesser instructions",
    .enabled(if: Processor.hasVNNI, "the processor lacks AVX_VNNI"))
  func lesser() throws {
    struct Report: Decodable { let agreement: Double }
    let outcome = try evaluated(by: "avx2")
    #expect(outcome.status == 0, "\(outcome)")
    let report = try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
    #expect(report.agreement > 0.94)
  }

  #if arch(x86_64)
    @Test("whole numbers are refused where ATROUS_ISA has no instructions for them")
    func without() throws {
      try evaluated(by: "portable").expectRefusal("(AVX512_VNNI or AVX_VNNI)")
    }
  #endif

  @Test("a calibration is kept in a file and repeats the scores, and another's is refused")
  func calibration() throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    let ranges = "\(folder.path)/ranges.json"
    func evaluated(_ more: String...) throws -> Command.Outcome {
      try Command(
        ["evaluate", run.path, "--precision", "int8", "--against", "float32", "--json"] + more
      ).wait()
    }
    guard InferencePrecision.int8.isSupported else {
      return try evaluated().expectRefusal("precision int8: this processor has no instructions")
    }
    struct Report: Decodable {
      struct Side: Decodable { let meanIoU: Double }
      let precision, reference: Side
      let agreement: Double
    }
    let reports = try (0..<2).map { _ in
      let outcome = try evaluated("--ranges", ranges, "--calibration", "4")
      #expect(outcome.status == 0, "\(outcome)")
      return try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
    }
    #expect(reports[0].agreement > 0.94 && reports[0].agreement == reports[1].agreement)
    #expect(reports[0].precision.meanIoU == reports[1].precision.meanIoU)
    let kept = try #require(FileManager.default.contents(atPath: ranges))
    #expect(String(decoding: kept, as: UTF8.self).contains("\"layers\""))
    try Data("[]".utf8).write(to: URL(fileURLWithPath: ranges))
    try evaluated("--ranges", ranges)
      .expectRefusal("\(ranges): is not what a calibration writes")
    try Data(#"{"layers": {"elsewhere": [0, 1]}}"#.utf8).write(to: URL(fileURLWithPath: ranges))
    try evaluated("--ranges", ranges).expectRefusal("\(ranges): 'elsewhere' has no range")
    // A file is no folder.
    try evaluated("--ranges", "\(ranges)/more/ranges.json")
      .expectRefusal("\(ranges)")
    try evaluated("--no-prepare").expectRefusal("the precision is int8, expected float32")
  }

  @Test("one that is not prepared is cast by libtorch, and trained so unless told otherwise")
  func casts() throws {
    let run = try Run.finished()
    func evaluated(_ more: String...) throws -> String {
      let outcome = try Command(["evaluate", run.path] + more).wait()
      #expect(outcome.status == 0, "\(outcome)")
      return outcome.output
    }
    let reduced = ["--set", "train.precision=bfloat16"]
    #expect(try evaluated("--no-prepare", "--precision", "bfloat16").hasSuffix("bfloat16\n"))
    let trained = Engine.hasInstructions(for: .bfloat16, on: .cpu) ? "bfloat16" : "float32"
    #expect(try evaluated(reduced[0], reduced[1]).hasSuffix(", \(trained)\n"))
    #expect(
      try evaluated(reduced[0], reduced[1], "--precision", "float32").hasSuffix(", float32\n"))
    #expect(try evaluated().hasSuffix(", float32\n"))
  }

  @Test(
    "predict and evaluate run a network in the same precision", arguments: ["bfloat16", "float32"])
  func agree(trained: String) throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    let scores = "\(folder.path)/scores"
    let settings = ["--set", "train.precision=\(trained)", "--output"]
    let evaluated = try Command(["evaluate", run.path] + settings + [scores]).wait()
    #expect(evaluated.status == 0, "\(evaluated)")
    let images = "\(run.folder)/images"
    let predicted = try Command(["predict", run.path, images] + settings + [folder.path]).wait()
    #expect(predicted.status == 0, "\(predicted)")
    let kept = try FileManager.default.contentsOfDirectory(atPath: "\(scores)/predictions")
    #expect(!kept.isEmpty)
    for name in kept {
      let stem = name.replacingOccurrences(of: ".png", with: "")
      #expect(
        try LabelImage(contentsOf: "\(scores)/predictions/\(name)")
          == LabelImage(contentsOf: "\(folder.path)/\(stem)_labels.png"), "\(name)")
    }
  }

  @Test("predict and benchmark take it, too")
  func others() throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    let image = "\(run.folder)/images/0.png"
    let labels = try ["float32", "bfloat16"].map { precision in
      let out = "\(folder.path)/\(precision)"
      let outcome = try Command.run(
        "predict", run.path, image, "--precision", precision, "--output", out)
      if precision == "float32" || Self.isSupported {
        #expect(outcome.status == 0, "\(outcome)")
      } else {
        outcome.expectRefusal("precision bfloat16: this processor has no instructions")
      }
      return FileManager.default.contents(atPath: "\(out)/0_labels.png")
    }
    #expect(labels[0] != nil && (labels[1] != nil) == Self.isSupported)
    let timing = try Command.run(
      "benchmark", run.path, "--precision", "bfloat16", "--size", "48x40", "--repeats", "1")
    guard Self.isSupported else {
      return timing.expectRefusal("precision bfloat16: this processor has no instructions")
    }
    #expect(timing.status == 0 && timing.output.contains("precision      bfloat16"), "\(timing)")
  }

  @Test("benchmark compares what is timed alone with the CPU in float32, also of several images")
  func againstCPU() throws {
    let run = try Run.finished()
    let arguments = ["benchmark", run.path, "--size", "48x40", "--repeats", "1", "--batch", "2"]
    func report(_ more: String...) throws -> [String: Any] {
      let outcome = try Command(arguments + ["--form", "plain", "--against-cpu", "--json"] + more)
        .wait()
      #expect(outcome.status == 0, "\(outcome)")
      let json = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
      return try #require(json as? [String: Any])
    }
    let same = try report()
    #expect(same["images"] as? Int == 2 && same["agreement"] as? Double == 1)
    #expect(same["relativeError"] as? Double == 0)
    if Self.isSupported {
      let rounded = try report("--precision", "bfloat16")
      let error = try #require(rounded["relativeError"] as? Double)
      #expect(error > 1e-5 && error < 0.1, "\(error)")
    }
    try Command(arguments + ["--form", "plain", "--precision", "int8"]).wait().expectRefusal(
      "the precision is int8, expected float32 or bfloat16")
    let training = try Command(arguments + ["--form", "training"]).wait()
    #expect(training.status == 0 && training.output.contains("images         2"), "\(training)")
  }

  @Test(
    "a wrong command line has status 64",
    arguments: [
      ["evaluate", "a", "--precision", "float8"], ["evaluate", "a", "--precision"],
      ["evaluate", "a", "--against", "float32"],
      ["evaluate", "a", "--precision", "bfloat16", "--against", "bfloat16"],
      ["evaluate", "a", "--precision", "bfloat16", "--against", "float32", "--output", "b"],
      ["evaluate", "a", "--precision", "bfloat16", "--against", "float32", "--boundary"],
      ["evaluate", "a", "--precision", "int8", "--calibration", "0"],
      ["evaluate", "a", "--ranges", "b"],
      ["predict", "a", "--precision", "half"], ["benchmark", "a", "--precision", "double"],
      ["benchmark", "a", "--against-cpu"], ["benchmark", "a", "--cuda-graphs"],
      ["benchmark", "a", "--device", "cuda", "--form", "prepared"],
      ["benchmark", "a", "--device", "cuda", "--tune"], ["benchmark", "a", "--batch", "0"],
      ["benchmark", "a", "--tune", "--batch", "2"],
    ])
  func commandLine(_ arguments: [String]) throws {
    let outcome = try Command(arguments).wait()
    #expect(outcome.status == 64, "\(outcome)")
    #expect(outcome.errors.contains("Error: ") && outcome.output == "")
  }
}
