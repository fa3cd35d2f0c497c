import Analysis
import ArgumentParser

/// `atrous models`: the networks that configurations can name.
struct ModelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models",
    abstract: "List backbones, output strides and heads with parameters and operations.",
    discussion: """
      Counts are for the parts' own defaults. A pair that does not go together is refused by name \
      when it is asked for, and noted below the list otherwise.
      """)

  @Option(name: .customLong("backbone"), help: "Only this backbone; may be given repeatedly.")
  var backbones: [String] = []

  @Option(name: .customLong("stride"), help: "Only this output stride; may be given repeatedly.")
  var strides: [Int] = []

  @Option(name: .customLong("head"), help: "Only this head; may be given repeatedly.")
  var heads: [String] = []

  @Option(help: "The number of classes.")
  var classes = 19

  @OptionGroup var image: ImageSizeOptions

  @Flag(help: "Print comma-separated values.")
  var csv = false

  func validate() throws {
    guard (1...65_535).contains(classes) else {
      throw ValidationError("--classes is \(classes), expected a number from 1 to 65535.")
    }
  }

  func run() throws {
    try reportingErrors {
      var selection = ModelTable.Selection()
      (selection.backbones, selection.outputStrides, selection.heads) = (backbones, strides, heads)
      selection.classes = classes
      (selection.width, selection.height) = (image.area.width, image.area.height)
      let table = try ModelTable(selection)
      if csv { return print(table.csv) }
      if !table.rows.isEmpty { print(table.text) }
      let notes = Dictionary(
        grouping: table.refusals, by: { "\($0.head) \($0.reason); not on" })
      for (note, refusals) in notes.sorted(by: { $0.key < $1.key }) {
        let places = refusals.map { "\($0.backbone) at stride \($0.outputStride)" }
        print("\n\(note) \(places.joined(separator: ", "))")
      }
    }
  }
}
