import Torch

extension WeightFile {
  /// Copies the file's tensors into a network's parameters and buffers of the same names, whatever
  /// their types.
  ///
  /// The file's pages are given back on the way, so that no more than the network and a small part
  /// of the file is in memory.
  /// - Throws: ``WeightFileError/otherNetwork(file:report:)`` if they disagree in what `strictness`
  ///   forbids, and nothing is changed then; `TorchError` if memory is short.
  @discardableResult
  public func load(
    into module: Module, strictness: LoadStrictness = .all
  ) throws -> LoadReport {
    let report = module.loadReport(shapes)
    guard strictness.allows(report) else {
      throw WeightFileError.otherNetwork(file: path, report: report)
    }
    module.makeLoadable()
    let fits = Set(report.loaded)
    for (name, tensor) in module.state where fits.contains(name) {
      if let entry = entry(name) { try attempt { try copy(entry, into: tensor) } }
    }
    return report
  }
}
