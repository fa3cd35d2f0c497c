import Configuration

/// The sizes of a transformer whose maps become smaller from stage to stage.
protocol StagedTransformer {
  /// The blocks of each stage, and the heads of their attention.
  var depths: [Int] { get set }
  var heads: [Int] { get set }
  /// The channels of the first stage.
  var width: Int { get set }
  /// The features between the matrices of a block, as a multiple of the width.
  var expansion: Double { get set }
  /// Whether queries, keys and values have a bias.
  var hasBias: Bool { get set }
  /// The shares of elements and, for the last block, of images that training leaves out.
  var dropout: Double { get set }
  var dropRate: Double { get set }
}

extension StagedTransformer {
  /// Takes what a section says, and keeps what it does not.
  mutating func readSizes(_ section: Section) throws {
    depths = try section.ints("depths", default: depths, in: 1...128)
    heads = try section.ints("heads", default: heads, in: 1...128)
    try section.checkStages(4, ["depths": depths, "heads": heads])
    width = try section.int("width", default: width, in: 1...2048)
    expansion = try section.double("expansion", default: expansion, in: 0.1...32)
    hasBias = try section.bool("attentionBias", default: hasBias)
    dropout = try section.double("dropout", default: dropout, in: 0...0.99)
    dropRate = try section.double("dropRate", default: dropRate, in: 0...0.99)
  }
}
