import Evaluation
import Foundation
import Imaging
import TestSupport
import Testing

@Suite("Explanations on the command line")
struct ExplanationTests {
  private let folder: TemporaryFolder
  private var path: String { folder.path }

  init() throws { folder = try TemporaryFolder() }

  /// A configuration of a tiny pyramid on crops of 64×48.
  private func pyramid(crop: String = "randomCrop: 64x48") throws -> String {
    let yaml = """
      \(pairsSection(path))
      model:
        backbone: {name: densenet, blocks: [1, 1], growth: 8, stem: 8, outputStride: 8}
        head: {name: deeplabv3, rates: [1, 2, 4], channels: 8}
      train:
        iterations: 1
        batchSize: 1
        optimizer: {name: sgd, learningRate: 0.01}
        augmentation: [{\(crop)}]
      """
    try writePairs(path, count: 2)
    try yaml.write(toFile: "\(path)/pyramid.yaml", atomically: true, encoding: .utf8)
    return "\(path)/pyramid.yaml"
  }

  private func object(_ outcome: Command.Outcome) throws -> [String: Any] {
    #expect(outcome.status == 0, "\(outcome)")
    return try #require(
      JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
  }

  @Test("erf of one photograph has its size, a marker, a class and a sentence, and draws over it")
  func field() throws {
    let config = try pyramid()
    let arguments = [
      "erf", config, "--images", "\(path)/images/0.png", "--at", "20,9", "--class", "thing",
    ]
    let text = try Command(arguments + ["--output", "\(path)/erf"]).wait()
    #expect(text.status == 0, "\(text)")
    for part in [
      "0.png, 48x40, output stride 8", "of 'thing' at pixel 20,9",
      "The pixel 20,9 for 'thing' looks at about ", "the star of rates 2, 4 at stride 8 spans 64",
    ] { #expect(text.output.contains(part), "\(text)") }
    #expect(try Image(contentsOf: "\(path)/erf/erf.png").width > 640)
    let json = try object(Command(arguments + ["--json"]).wait())
    #expect(
      json["x"] as? Int == 20 && json["y"] as? Int == 9 && json["label"] as? String == "thing")
    #expect(json["width"] as? Int == 48 && json["height"] as? Int == 40)
    try Command(["erf", config, "--images", "\(path)/images/0.png", "--at", "48,9"]).wait()
      .expectRefusal("--at 48,9: is outside of the image, expected a pixel of 48x40")
    // A cut lies around the pixel, inside of the photograph.
    let cut = ["erf", config, "--images", "\(path)/images/0.png", "--at", "44,9", "--size", "32"]
    let part = try object(Command(cut + ["--json"]).wait())
    #expect(part["x"] as? Int == 28 && part["y"] as? Int == 9)
    #expect(part["photographX"] as? Int == 44 && part["photographY"] as? Int == 9)
    #expect(
      try Command(cut).wait().output.contains("pixel 44,9 of the photograph (28,9 of its cut)"))
    try Command(["erf", config, "--images", "\(path)/none.jpg"]).wait()
      .expectRefusal("\(path)/none.jpg: is not there; expected an image or a folder of images")
    try Command(["erf", config, "--noise", "--size", "64x48", "--class", "sky"]).wait()
      .expectRefusal("'class' is 'sky'", "ground, thing")
  }

  @Test("photographs are explained at the size at which the network sees them, in their own pixels")
  func seen() throws {
    let config = try pyramid()
    let image = "\(path)/images/0.png"
    let set = ["--set", "evaluate.shortSide=80"]
    let field = try object(
      Command(["erf", config, "--images", image, "--at", "20,9", "--json"] + set).wait())
    #expect(field["width"] as? Int == 48 && field["height"] as? Int == 40)
    #expect(field["seenWidth"] as? Int == 96 && field["seenHeight"] as? Int == 80)
    #expect(field["x"] as? Int == 20 && field["y"] as? Int == 9)
    // 64 at the photographs' own size.
    #expect(field["expectedLength"] as? Int == 32)
    let alike = try object(
      Command(["similarity", config, image, "--at", "20,9", "--json"] + set).wait())
    #expect(alike["width"] as? Int == 48 && alike["mapWidth"] as? Int == 12)
    let spectrum = try object(
      Command(["rates", config, "--spectrum", image, "--size", "96x80", "--json"] + set).wait())
    let enlarged = "\(path)/enlarged.png"
    try SeenScale(.shortSide(80))(Image(contentsOf: image)).write(to: enlarged)
    let same = try object(
      Command(["rates", config, "--spectrum", enlarged, "--size", "96x80", "--json"]).wait())
    #expect(
      (spectrum["stages"] as? [[String: Any]])?.first?["above"] as? [Double]
        == (same["stages"] as? [[String: Any]])?.first?["above"] as? [Double])
    // What ablate finds with all parts is what predict finds, and what it scores what evaluate scores.
    let run = try Run.finished()
    let labels = try Command(["predict", run.path, image, "--output", path] + set).wait()
    #expect(labels.status == 0, "\(labels)")
    let ablated = try object(
      Command(
        ["ablate", run.path, image, "--truth", "\(path)/0_labels.png", "--json"] + set
      ).wait())
    let steps = try #require(ablated["steps"] as? [[String: Any]])
    #expect(steps.first?["pixelAccuracy"] as? Double == 1)
    let scored = try object(Command(["evaluate", run.path, "--json"] + set).wait())
    let scores = try object(Command(["ablate", run.path, "--json"] + set).wait())
    let whole = try #require((scores["steps"] as? [[String: Any]])?.first?["meanIoU"] as? Double)
    let evaluated = (scored["scores"] as? [String: Any])?["meanIoU"] as? Double
    #expect(abs(whole - (evaluated ?? 0)) < 1e-9, "\(whole)")
  }

  @Test("a head without parts is told by its name, and swapped arguments are")
  func refusals() throws {
    let config = try pyramid()
    let linear = ["--set", "model={backbone: {name: unet, widths: [4, 8]}, head: {name: linear}}"]
    try Command(["ablate", config, "\(path)/images/0.png"] + linear).wait()
      .expectRefusal("model.head: 'linear' has no levels or branches to remove", "denseaspp")
    for command in [["ablate"], ["similarity", "--at", "1,1"], ["predict"]] {
      let swapped = try Command(command + ["\(path)/images/0.png", config]).wait()
      #expect(swapped.status == 64 && swapped.errors.contains("is a network, expected it first"))
    }
  }

  @Test("ablate of one photograph tells what changes, and with the truth what that costs")
  func ablate() throws {
    let config = try pyramid()
    let arguments = ["ablate", config, "\(path)/images/0.png"]
    let plain = try Command(arguments + ["--output", "\(path)/out"]).wait()
    #expect(plain.status == 0, "\(plain)")
    for part in ["same class", "without rate 4", "0.png, 48x40"] {
      #expect(plain.output.contains(part), "\(plain)")
    }
    #expect(!plain.output.contains("mean IoU"))
    for name in ["ablation.json", "ablation.png", "0_ablation.png"] {
      #expect(FileManager.default.fileExists(atPath: "\(path)/out/\(name)"), "\(name)")
    }
    let truth = ["--truth", "\(path)/labels/0.png"]
    let scored = try object(Command(arguments + truth + ["--json"]).wait())
    let steps = try #require(scored["steps"] as? [[String: Any]])
    #expect(steps.count == 5 && steps[0]["changed"] as? Double == 0)
    #expect(steps.allSatisfy { $0["pixelAccuracy"] is Double })

    let both = try Command(arguments + ["--limit", "3"]).wait()
    #expect(both.status == 64 && both.errors.contains("are for a data set"), "\(both)")
    let alone = try Command(["ablate", config] + truth).wait()
    #expect(alone.status == 64 && alone.errors.contains("--truth expects a photograph"), "\(alone)")
    try Command(["ablate", Run.finished().path, "\(path)/none.png"]).wait()
      .expectRefusal("none.png", "there is no such file")
  }

  @Test("rates of a configuration are beside those of the rule, at its own crop or another")
  func rates() throws {
    let config = try pyramid()
    let own = try object(Command.run("rates", config, "--json"))
    let rule = try #require(own["rule"] as? [String: Any])
    #expect(rule["width"] as? Int == 64 && rule["height"] as? Int == 48)
    #expect(rule["stride"] as? Int == 8 && rule["rates"] as? [Int] == [1, 2, 3])
    let part = try #require((own["parts"] as? [[String: Any]])?.first)
    #expect(part["rates"] as? [Int] == [2, 4] && part["span"] as? Int == 64)
    #expect(part["branches"] as? [String] == ["1x1", "rate 2", "rate 4", "image mean"])
    let text = try Command.run("rates", config, "--size", "769")
    #expect(text.status == 0, "\(text)")
    for word in [
      "769x769 (--size): a map of 97x97", "ASPP of 1x1, rate 2, rate 4, image mean",
      "rates 15, 30, 45", "warning: ",
    ] { #expect(text.output.contains(word), "\(text)") }
    // A run tells its crop, too.
    let run = try object(Command.run("rates", Run.finished().path, "--json"))
    #expect((run["rule"] as? [String: Any])?["width"] as? Int == 32)

    let whole = try pyramid(crop: "horizontalFlip: 0.5")
    try Command.run("rates", whole).expectRefusal(whole, "expected --size beside it")
    let both = try Command.run("rates", config, "--stride", "16")
    #expect(both.status == 64 && both.errors.contains("the network's own"), "\(both)")
  }

  @Test("models lists parts, pairs by name, and why others are none")
  func models() throws {
    let parts = try Command.run("models")
    #expect(parts.status == 0, "\(parts)")
    let lines = parts.output.split(separator: "\n")
    for name in ["resnet50 ", "mit_b0 ", "deeplabv3 ", "lraspp "] {
      #expect(lines.count { $0.hasPrefix(name) } == 1, "\(name)")
    }
    // Parts, not the thousands of pairs.
    #expect(lines.count < 200)
    let pairs = try Command.run("models", "--backbone", "unet", "--stride", "1")
    #expect(pairs.output.contains("pairs do not go together") && pairs.status == 0, "\(pairs)")
    let json = try object(Command.run("models", "--backbone", "unet", "--json"))
    #expect((json["pairs"] as? [Any])?.isEmpty == false)
    #expect((json["exclusions"] as? [Any])?.isEmpty == false && json["backbones"] == nil)
    let why = try Command.run("models", "--backbone", "unet", "--why")
    #expect(why.output.contains("lraspp needs an earlier map"), "\(why)")
    #expect(why.output.contains("unet (stride 1)"), "\(why)")
    let two = try Command.run("models", "--why", "--json")
    #expect(two.status == 64, "\(two)")
  }

  @Test("receptive-field ends with a sentence, and maps are WIDTHxHEIGHT")
  func receptiveField() throws {
    let outcome = try Command.run("receptive-field", pyramid(), "--size", "96x64")
    #expect(outcome.status == 0, "\(outcome)")
    let last = outcome.output.split(separator: "\n").last ?? ""
    #expect(last.hasPrefix("A pixel of the scores depends on at most "), "\(outcome)")
    #expect(outcome.output.contains(" 12x8 "), "\(outcome)")
    #expect(!outcome.output.contains(" 8x12 "), "\(outcome)")
  }
}
