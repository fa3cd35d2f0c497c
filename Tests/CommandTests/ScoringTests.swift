import Foundation
import Imaging
import TestSupport
import Testing

@Suite("Scoring label files")
struct ScoringTests {
  private let folder: TemporaryFolder
  private var path: String { folder.path }

  /// Three pairs of a truth of 6×4 pixels and a prediction of which a quarter is wrong.
  init() throws {
    folder = try TemporaryFolder()
    for name in ["truth", "guess"] {
      try FileManager.default.createDirectory(
        atPath: "\(folder.path)/\(name)", withIntermediateDirectories: true)
    }
    for index in 0..<3 {
      let truth = (0..<24).map { UInt16($0 % 2) }
      try write(truth, "truth/\(index).png")
      try write(truth.enumerated().map { $0.0 < 6 ? 1 - $0.1 : $0.1 }, "guess/\(index).png")
    }
  }

  private func write(_ values: [UInt16], _ name: String, width: Int = 6) throws {
    try LabelImage(width: width, height: values.count / width, values: values)
      .writePNG(to: "\(path)/\(name)")
  }

  private func score(_ more: String...) throws -> Command.Outcome {
    try Command(["score", "\(path)/truth", "\(path)/guess", "--classes", "road,car"] + more).wait()
  }

  @Test("scores of files are those computed by hand, as a table and as JSON")
  func figures() throws {
    let outcome = try score()
    #expect(outcome.status == 0, "\(outcome)")
    // 9 of 12 pixels of either class are right: 9 / 15.
    for part in ["3 images", "road   60.00", "mean IoU", "60.00", "75.00", "of 2 classes"] {
      #expect(outcome.output.contains(part), "\(part)\n\(outcome)")
    }
    struct Result: Decodable {
      struct Scores: Decodable { let meanIoU: Double }
      let scores: Scores
      let confusion: [[Int]]
    }
    let json = try JSONDecoder().decode(
      Result.self, from: Data(try score("--json").output.utf8))
    #expect(json.scores.meanIoU == 0.6)
    #expect(json.confusion == [[27, 9, 0], [9, 27, 0]])
  }

  @Test("to NAME answers NAME_labels as predict writes it, in indices of classes")
  func names() throws {
    // Values 0 and 255 of the truth are the classes 0 and 1.
    for index in 0..<3 {
      let truth = (0..<24).map { UInt16($0 % 2) }
      try write(truth.map { $0 * 255 }, "truth/\(index).png")
      try write(truth.enumerated().map { $0.0 < 6 ? 1 - $0.1 : $0.1 }, "guess/\(index).png")
    }
    func binary(_ more: String...) throws -> Command.Outcome {
      try Command(["score", "\(path)/truth", "\(path)/guess", "--classes", "binary:car"] + more)
        .wait()
    }
    let plain = try binary().output
    // 27 of 36 pixels are found, and as many of those claimed are right.
    let dice = plain.split(separator: "\n").first { $0.contains("Dice") }
    #expect(dice?.contains("75.00") == true, "\(plain)")
    for index in 0..<3 {
      let name = "\(path)/guess/\(index)"
      try FileManager.default.moveItem(atPath: "\(name).png", toPath: "\(name)_labels.png")
      try write([UInt16](repeating: 9, count: 24), "guess/\(index)_overlay.png")
    }
    #expect(try binary().output == plain)
    // Names that end in something, by an option or a pattern.
    for index in 0..<3 {
      let name = "\(path)/truth/\(index)"
      try FileManager.default.moveItem(atPath: "\(name).png", toPath: "\(name)_gt.png")
    }
    try binary().expectRefusal("0_gt.png: has no prediction; expected", "0_gt_labels.png")
    #expect(try binary("--truth-suffix", "_gt").output == plain)
    #expect(
      try binary("--truth-suffix", "_gt", "--prediction-suffix", "_labels").output == plain)
    let pattern = try Command.run(
      "score", "\(path)/truth/*_gt.png", "\(path)/guess", "--classes", "binary:car")
    #expect(
      pattern.output.split(separator: "\n").dropFirst() == plain.split(separator: "\n").dropFirst())
    // As the truth's values, of which 1 is one here as well; and as what they cannot be.
    #expect(try binary("--truth-suffix", "_gt", "--prediction-values", "truth").output == plain)
    try write([7] + [UInt16](repeating: 0, count: 23), "guess/0_labels.png")
    try binary("--truth-suffix", "_gt").expectRefusal("0_labels.png", "the value 7", "0–1")
    try write([UInt16](repeating: 0, count: 24), "guess/0.png")
    try binary("--truth-suffix", "_gt").expectRefusal("2 predictions answer to it")
  }

  @Test("the labels of a known data set are found by its layout")
  func layout() throws {
    let size = Size(width: 10, height: 6)
    try writeMiniature("chase-db1", in: "\(path)/set", size: size)
    try writePicture("\(path)/p/Image_11L_labels.png", size, [UInt16](repeating: 0, count: 60))
    let outcome = try Command.run(
      "score", "--layout", "chase_db1", "\(path)/set", "\(path)/p", "--output", "\(path)/o")
    #expect(outcome.status == 0 && outcome.output.contains("1 images"), "\(outcome)")
    #expect(outcome.output.contains("foreground vessel"))
    // The images of the set are in the pictures, and names are the set's.
    let counts = try #require(FileManager.default.contents(atPath: "\(path)/o/images.json"))
    #expect(String(decoding: counts, as: UTF8.self).contains("set/Image_11L.jpg"))
    try Command.run("score", "--layout", "chase", "\(path)/set", "\(path)/p")
      .expectRefusal("the layout is 'chase'", "chase-db1")
    try Command.run("score", "--layout", "chase-db1", "\(path)/set", "\(path)/p", "--split", "val")
      .expectRefusal("'val'", "test")
  }

  @Test("what the section evaluate says holds for evaluate and compare, and options win")
  func settings() throws {
    let run = try Run.finished()
    let set = [
      "limit=4", "window=24x24", "overlap=0.25", "windowWeights=gaussian", "scales=[0.75, 1]",
      "flip=true", "average=logProbabilities",
    ].flatMap { ["--set", "evaluate.\($0)"] }
    let said = [
      "4 of 6 images, evenly spread", "windows of 24×24, overlap 0.25, gaussian weights",
      "scales 0.75, 1, flip on", "mean of log-probabilities",
    ]
    let outcome = try Command(["evaluate", run.path] + set).wait()
    for part in said { #expect(outcome.output.contains(part), "\(part)\n\(outcome)") }
    let other = try Command(
      ["evaluate", run.path] + set + [
        "--window", "none", "--no-flip", "--scales", "1", "--limit", "0", "--average",
        "probabilities",
      ]
    ).wait()
    #expect(
      other.output.contains("6 images") && !other.output.contains("evenly spread"), "\(other)")
    #expect(other.output.contains("whole image, scales 1, flip off"), "\(other)")
    let compared = try Command(
      ["compare", run.path, run.path, "--output", "\(path)/c", "--repeats", "10"] + set
    ).wait()
    for part in said + ["Caution: of 4 images"] {
      #expect(compared.output.contains(part), "\(part)\n\(compared)")
    }
    let page = try String(contentsOfFile: "\(path)/c/index.html", encoding: .utf8)
    #expect(page.contains("href=\"1/index.html\"") && page.contains("Its own page"))
    try Command.run("evaluate", run.path, "--set", "evaluate.window=4x4")
      .expectRefusal("'window' is 4×4, expected at least 8×8")
    try Command.run("evaluate", run.path, "--set", "evaluate.scales=[9999]")
      .expectRefusal("'scales' is 9999, expected numbers from 0.05 to 20")
  }

  @Test("label files compare with a network on the same images, and curves are the network's")
  func kinds() throws {
    let run = try Run.finished()
    let (network, files) = ("\(path)/network", "\(path)/files")
    let evaluated = try Command.run("evaluate", run.path, "--output", network)
    #expect(evaluated.status == 0, "\(evaluated)")
    for part in ["foreground thing, background class 0", "area under ROC", "best Dice"] {
      #expect(evaluated.output.contains(part), "\(part)\n\(evaluated)")
    }
    let page = try String(contentsOfFile: "\(network)/index.html", encoding: .utf8)
    #expect(page.contains("alt=\"Precision over recall of thing"))
    let predicted = try Command.run(
      "predict", run.path, "\(run.folder)/images", "--output", "\(path)/predicted")
    #expect(predicted.status == 0)
    let scored = try Command.run(
      "score", "\(run.folder)/labels", "\(path)/predicted", "--classes", "ground,thing",
      "--output", files)
    #expect(scored.status == 0, "\(scored)")
    let compared = try Command.run(
      "compare", network, files, "--output", "\(path)/both", "--repeats", "10")
    #expect(compared.status == 0, "\(compared)")
    // The same predictions, so no difference.
    let line = compared.output.split(separator: "\n").first { $0.hasPrefix("Dice of thing") }
    #expect(line?.contains("0.00") == true, "\(compared)")
  }

  @Test("a missing partner, another size, a value out of the map, a file that cannot be read")
  func refusals() throws {
    let guess = "\(path)/guess/1.png"
    try write([0, 1, 0, 1, 9, 0] + [UInt16](repeating: 0, count: 18), "guess/1.png")
    try score().expectRefusal("\(guess): pixel (x 4, y 0) has the value 9", "allowed are 0–1, 255")
    try write([UInt16](repeating: 0, count: 20), "guess/1.png", width: 5)
    try score().expectRefusal(
      "\(guess) is 5×4", "\(path)/truth/1.png is 6×4", "expected equal sizes")
    try Data("no picture".utf8).write(to: URL(fileURLWithPath: guess))
    try score().expectRefusal("\(guess): is a text file, expected a PNG")
    try FileManager.default.removeItem(atPath: guess)
    try score().expectRefusal("\(path)/truth/1.png: has no prediction; expected", "guess/1.png")
    try Command.run("score", "\(path)/none", "\(path)/guess", "--classes", "2")
      .expectRefusal("\(path)/none", "expected")
    try Command.run("score", "\(path)/none", "\(path)/guess")
      .expectRefusal("\(path)/guess: found no files", "<city>_<sequence>_<frame>*.png")
  }

  @Test("a whole folder of results, which a run that fails leaves as it is")
  func results() throws {
    let out = "\(path)/out"
    #expect(try score("--output", out, "--boundary").status == 0)
    func content() throws -> [String: Data?] {
      let names = FileManager.default.enumerator(atPath: out)?.allObjects as? [String] ?? []
      return Dictionary(
        uniqueKeysWithValues: names.map {
          ($0, FileManager.default.contents(atPath: "\(out)/\($0)"))
        })
    }
    let before = try content()
    for name in [
      "evaluation.txt", "evaluation.csv", "evaluation.json", "evaluation.md", "confusion.png",
      "classes.png", "index.html", "predictions/0.png", "panels/worst-01-0.jpg",
    ] { #expect(before[name] != nil, "\(name)") }
    try write([7] + [UInt16](repeating: 0, count: 23), "guess/2.png")
    try score("--output", out).expectRefusal("the value 7")
    #expect(try content() == before)
    // A picture of an image that is not one fails after the scores.
    try write([UInt16](repeating: 0, count: 24), "guess/2.png")
    try FileManager.default.createDirectory(
      atPath: "\(path)/images", withIntermediateDirectories: true)
    for index in 0..<3 {
      try Data("text".utf8).write(to: URL(fileURLWithPath: "\(path)/images/\(index).png"))
    }
    try score("--output", out, "--images", "\(path)/images").expectRefusal("images/", "text file")
    #expect(try content() == before)
    #expect(try score("--output", out).status == 0)
    #expect(try content() != before)
  }

  @Test("comparisons name both folders, and say what stands in their way")
  func compare() throws {
    let (a, b) = ("\(path)/a", "\(path)/b")
    #expect(try score("--output", a).status == 0)
    try write((0..<24).map { UInt16($0 % 2) }, "guess/0.png")
    #expect(try score("--output", b).status == 0)
    let out = "\(path)/compared"
    let outcome = try Command.run("compare", a, b, "--output", out, "--repeats", "50")
    #expect(outcome.status == 0, "\(outcome)")
    for part in ["b minus a", "Jaccard macro", "mean IoU"] {
      #expect(outcome.output.contains(part), "\(part)\n\(outcome)")
    }
    for name in ["comparison.txt", "comparison.md", "comparison.json", "comparison.jpg"] {
      #expect(FileManager.default.fileExists(atPath: "\(out)/\(name)"), "\(name)")
    }
    let before = FileManager.default.contents(atPath: "\(out)/comparison.json")
    func compared() throws -> Command.Outcome {
      try Command.run("compare", a, b, "--output", out, "--repeats", "50")
    }
    try Data("{}".utf8).write(to: URL(fileURLWithPath: "\(b)/evaluation.json"))
    try compared().expectRefusal("\(b)/evaluation.json", "is not what evaluate writes")
    // Other images, and other classes.
    try FileManager.default.removeItem(atPath: "\(path)/truth/2.png")
    #expect(try score("--output", b).status == 0)
    try compared().expectRefusal(a, b, "not of the same images")
    let classes = ["score", "\(path)/truth", "\(path)/guess", "--classes", "3", "--output", b]
    #expect(try Command(classes).wait().status == 0)
    try compared().expectRefusal(a, b, "their classes differ")
    try Command.run("compare", a, "\(path)/none", "--output", out)
      .expectRefusal("\(path)/none")
    #expect(FileManager.default.contents(atPath: "\(out)/comparison.json") == before)
  }

  @Test("a submission of good files passes; each wrong one is named, and the status is 1")
  func submission() throws {
    let images = "\(path)/city/leftImg8bit/test/bonn"
    let out = "\(path)/submission"
    for folder in [images, out] {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }
    let picture = Image(width: 6, height: 4, pixels: [UInt8](repeating: 9, count: 72))
    for index in 0..<2 {
      try picture.write(to: "\(images)/bonn_00000\(index)_000019_leftImg8bit.png")
      try write(
        [UInt16](repeating: 26, count: 24), "submission/bonn_00000\(index)_000019_pred.png")
    }
    func verify() throws -> Command.Outcome {
      try Command.run("data", "verify-submission", out, "--root", "\(path)/city")
    }
    let good = try verify()
    #expect(good.status == 0 && good.output.contains("2 images, 0 errors, 0 warnings"), "\(good)")
    try write(
      [26, 77] + [UInt16](repeating: 7, count: 22), "submission/bonn_000000_000019_pred.png")
    try verify().expectRefusal(
      "bonn_000000_000019_pred.png: pixel (x 1, y 0) has the value 77", "expected a label id")
    try write([UInt16](repeating: 7, count: 20), "submission/bonn_000000_000019_pred.png", width: 5)
    try verify().expectRefusal("is 5×4, expected the image's size 6×4")
    try Data("text".utf8).write(to: URL(fileURLWithPath: "\(out)/bonn_000000_000019_pred.png"))
    try verify().expectRefusal("bonn_000000_000019_pred.png: is a text file")
    try FileManager.default.removeItem(atPath: "\(out)/bonn_000000_000019_pred.png")
    try verify().expectRefusal("bonn_000000_000019: has no prediction")
    try Command.run("data", "verify-submission", out, "--root", "\(path)/none")
      .expectRefusal("\(path)/none", "expected one folder a city")
    try Command.run("data", "verify-submission", "\(path)/none", "--root", "\(path)/city")
      .expectRefusal("\(path)/none", "expected")
  }

  @Test("evaluate leaves every table, picture and the page, and repeats them to the byte")
  func evaluate() throws {
    let run = try Run.finished()
    let out = "\(path)/evaluated"
    let arguments = ["evaluate", run.path, "--output", out, "--scales", "0.75,1", "--flip"]
    let outcome = try Command(arguments).wait()
    #expect(outcome.status == 0, "\(outcome)")
    for part in ["mean IoU", "per image %", "scales 0.75, 1, flip on", "mean of probabilities"] {
      #expect(outcome.output.contains(part), "\(part)\n\(outcome)")
    }
    let page = try String(contentsOfFile: "\(out)/index.html", encoding: .utf8)
    #expect(page.contains("scales 0.75, 1, flip on") && !page.contains("src=\"http"))
    let csv = try String(contentsOfFile: "\(out)/evaluation.csv", encoding: .utf8)
    #expect(csv.hasPrefix("class,iou,dice,precision,recall") && csv.contains("\nthing,"))
    let predictions = try FileManager.default.contentsOfDirectory(atPath: "\(out)/predictions")
    #expect(predictions.count == 6)
    // Scoring the predictions that were kept as files gives the same scores.
    struct Result: Decodable {
      struct Scores: Decodable { let meanIoU, pixelAccuracy: Double }
      let scores: Scores
    }
    func scores(_ data: Data) throws -> [Double] {
      let result = try JSONDecoder().decode(Result.self, from: data)
      return [result.scores.meanIoU, result.scores.pixelAccuracy]
    }
    let again = try Command.run(
      "score", "\(run.folder)/labels", "\(out)/predictions", "--classes", "ground,thing", "--json")
    let kept = try #require(FileManager.default.contents(atPath: "\(out)/evaluation.json"))
    let (first, second) = (try scores(kept), try scores(Data(again.output.utf8)))
    #expect(first == second)
    try Command(arguments + ["--set", "data.val.labels=\(path)/none"]).wait()
      .expectRefusal("\(path)/none")
    #expect(try String(contentsOfFile: "\(out)/index.html", encoding: .utf8) == page)
    try Command(arguments + ["--window", "4x4"]).wait()
      .expectRefusal("the window is 4×4, expected at least 8×8")
    try Command(arguments + ["--overlap", "1", "--window", "16x16"]).wait()
      .expectRefusal("the overlap is 1, expected a number from 0 to 0.9")
  }

  @Test(
    "a wrong command line has status 64",
    arguments: [
      ["score"], ["score", "a"], ["score", "a", "b", "--classes"],
      ["compare", "a", "--output", "b"],
      ["compare", "a", "b"], ["compare", "a", "b", "--output", "c", "--repeats", "0"],
      ["data", "verify-submission", "a"], ["data", "nonsense"],
      ["evaluate", "a", "--scales", "1,two"], ["evaluate", "a", "--window", "wide"],
      ["evaluate", "a", "--average", "median"], ["evaluate", "a", "--label-size", "0x0"],
      ["evaluate", "a", "--limit", "-1"], ["compare", "a", "b", "--output", "c", "--limit", "x"],
      ["score", "a", "b", "--layout", "drive", "--classes", "2"],
      ["score", "a", "b", "--truth-suffix", "_gt"],
      ["score", "a", "b", "--prediction-values", "x"],
    ])
  func commandLine(arguments: [String]) throws {
    let outcome = try Command(arguments).wait()
    #expect(outcome.status == 64, "\(outcome)")
    #expect(outcome.errors.contains("Error: ") && outcome.output == "")
  }
}
