import Torch

/// Calls the rule of a node, and tells of what fails with file, node and inputs.
struct ONNXInterpreter {
  let file: String
  let opset: Int
  let limits: ONNXLimits

  /// What a node gives.
  ///
  /// - Throws: ``ONNXError``.
  func call(_ node: ONNXNode, _ inputs: [ONNXValue?], device: Device) throws -> [ONNXValue] {
    do {
      guard let rule = ONNXOperators.all[node.type] else {
        throw ONNXRefusal("it is not supported")
      }
      let step = ONNXStep(node: node, inputs: inputs, opset: opset, limits: limits, device: device)
      let results = try attempt { try rule(step) }
      for result in results { try step.admit(result.shape) }
      guard results.count >= node.outputs.count else {
        throw ONNXRefusal("it has \(node.outputs.count) results, expected \(results.count)")
      }
      return results
    } catch let refusal as ONNXRefusal {
      throw failed(node, inputs, refusal.reason)
    } catch let error as TorchError {
      throw failed(node, inputs, error.message)
    }
  }

  /// The error of a node.
  func failed(_ node: ONNXNode, _ inputs: [ONNXValue?], _ reason: String) -> ONNXError {
    let list = inputs.map { $0?.description ?? "nothing" }.joined(separator: ", ")
    return .node(file: file, node: node.title, inputs: list, reason: reason)
  }
}
