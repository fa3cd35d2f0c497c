import Imaging
import Analysis
import ArgumentParser
import Evaluation

/// `atrous models`: the networks that configurations can name.
struct ModelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models",
    abstract: "List backbones and heads, or the pairs of them with parameters and operations.",
    discussion: """
      Without options a line for each backbone and each head; --backbone, --head and --stride list the \
      pairs that they are in. Counts are for the parts' own defaults. A pair that does not go together is \
      refused by name when it is asked for, and told by --why.
      """)

  @Option(name: .customLong("backbone"), help: "Pairs of this backbone; may be given repeatedly.")
  var backbones: [String] = []

  @Option(
    name: .customLong("stride"), help: "Pairs at this output stride; may be given repeatedly.")
  var strides: [Int] = []

  @Option(name: .customLong("head"), help: "Pairs with this head; may be given repeatedly.")
  var heads: [String] = []

  @Flag(help: "Tell which backbones and heads do not go together, and what they would need.")
  var why = false

  @Option(help: "The number of classes.")
  var classes = 19

  @OptionGroup var image: ImageSizeOptions

  @Flag(help: "Print the pairs, all unless some are named, as comma-separated values.")
  var csv = false

  @Flag(help: "Print JSON: parts, pairs and exclusions, all unless some are named.")
  var json = false

  func validate() throws {
    guard (1...65_535).contains(classes) else {
      throw ValidationError("--classes is \(classes), expected a number from 1 to 65535.")
    }
    if [why, csv, json].count(where: { $0 }) > 1 {
      throw ValidationError("--why, --csv and --json exclude each other.")
    }
  }

  func run() throws {
    try reportingErrors {
      var selection = ModelTable.Selection()
      (selection.backbones, selection.outputStrides, selection.heads) = (backbones, strides, heads)
      selection.classes = classes
      (selection.width, selection.height) = (image.area.width, image.area.height)
      let asksForPairs = !(backbones.isEmpty && strides.isEmpty && heads.isEmpty)
      let hint = "Tell what does not go together with --why"
      if !asksForPairs && !csv && !json && !why {
        print(try ModelParts(selection).text)
        return print("\nPairs: --backbone, --head and --stride. \(hint).")
      }
      selection.counts = !why
      let table = try ModelTable(selection)
      if csv { return print(table.csv) }
      if json {
        let listing = ModelListing(asksForPairs ? nil : try ModelParts(selection), table)
        return print(String(decoding: try listing.json(), as: UTF8.self))
      }
      if why {
        return print(table.refusals.isEmpty ? "All of these go together." : table.exclusions)
      }
      if !table.rows.isEmpty { print(table.text) }
      if !table.refusals.isEmpty {
        print("\n\(table.refusals.count) pairs do not go together. \(hint).")
      }
    }
  }
}
