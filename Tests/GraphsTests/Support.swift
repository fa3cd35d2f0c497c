import Configuration
import Graphs
import Segmentation
import Torch

/// The network that a line of YAML describes, with weights of zero.
func model(_ yaml: String) throws -> SegmentationModel {
  try Initialization.skipped { try ModelBuilder.build(Section(yaml: yaml, named: "test")) }
}

/// What is wrong with a graph in ONNX's notation: values that no node before gave, names that two have, and
/// operators that are none of the standard's.
func problems(_ file: ONNXFile) -> [String] {
  let graph = file.model.graph
  var problems: [String] = []
  var known = Set<String>(), names = Set<String>()
  for name in graph.input.map(\.name) + graph.initializer.map(\.name)
  where !known.insert(name).inserted { problems.append("\(name) is there twice") }
  for node in graph.node {
    if !names.insert(node.name).inserted { problems.append("two nodes are called \(node.name)") }
    if !node.domain.isEmpty { problems.append("\(node.name) is of \(node.domain)") }
    for input in node.input where !input.isEmpty && !known.contains(input) {
      problems.append("\(node.name) takes \(input), which is not there yet")
    }
    for output in node.output where !known.insert(output).inserted {
      problems.append("\(output) is there twice")
    }
  }
  for output in graph.output where !known.contains(output.name) {
    problems.append("nothing gives \(output.name)")
  }
  for tensor in graph.initializer {
    let sizes: [Int32: Int] = [1: 4, 2: 1, 3: 1, 6: 4, 7: 8, 9: 1]
    let count = tensor.dims.reduce(1, *)
    if sizes[tensor.dataType].map({ $0 * Int(count) }) != tensor.rawData.count {
      problems.append("\(tensor.name) has \(tensor.rawData.count) bytes for \(tensor.dims)")
    }
  }
  if file.model.opsetImport.map(\.domain) != [""] { problems.append("more than the standard") }
  return problems
}
