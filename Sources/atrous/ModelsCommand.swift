import Analysis
import ArgumentParser
import Evaluation
import Foundation
import Imaging
import Inference
import Training
import Weights

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

  @Flag(help: "List the networks that come with the package, with their weights, instead.")
  var packaged = false

  @OptionGroup var image: ImageSizeOptions

  @Flag(help: "Print the pairs, all unless some are named, as comma-separated values.")
  var csv = false

  @Flag(help: "Print JSON: parts, pairs and exclusions, all unless some are named.")
  var json = false

  func validate() throws {
    guard (1...65_535).contains(classes) else {
      throw ValidationError("--classes is \(classes), expected a number from 1 to 65535.")
    }
    if packaged {
      let others = why || csv || !(backbones.isEmpty && strides.isEmpty && heads.isEmpty)
      guard !others else {
        throw ValidationError(
          "--packaged lists trained networks, expected none of --backbone, --head, --stride, --why and --csv."
        )
      }
    }
    if [why, csv, json].count(where: { $0 }) > 1 {
      throw ValidationError("--why, --csv and --json exclude each other.")
    }
  }

  func run() throws {
    try reportingErrors {
      if packaged { return try listPackaged() }
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

  /// Prints a line, or an object of JSON, for each packaged network.
  private func listPackaged() throws {
    let networks = try PackagedNetwork.allCases.map { network in
      let file = try network.file()
      return PackagedListing(
        name: network.rawValue, finds: network.summary, origin: network.origin,
        classes: try Checkpoint(file).record.classes.map(\.name), megabytes: try size(file) / 1e6,
        file: file)
    }
    if json { return print(try jsonText(networks)) }
    let width = networks.map(\.name.count).max() ?? 0
    for network in networks {
      print(
        "\(network.name.padding(toLength: width, withPad: " ", startingAt: 0))  \(network.finds)"
          + String(format: " (%.1f MB; ", network.megabytes) + "\(network.origin))")
    }
    print("\nRun one with: atrous predict --network NAME photo.jpg")
  }

  private func size(_ file: String) throws -> Double {
    let attributes = try FileManager.default.attributesOfItem(atPath: file)
    return (attributes[.size] as? NSNumber)?.doubleValue ?? 0
  }
}

/// What `models --packaged --json` says of a network.
private struct PackagedListing: Encodable {
  let name, finds, origin: String
  let classes: [String]
  let megabytes: Double
  let file: String
}
