// Times the Swift call that the Python module's `predict` ends in, for run.py.

import Evaluation
import Foundation
import Imaging
import Inference
import Weights

let arguments = CommandLine.arguments
guard arguments.count == 5, let repeats = Int(arguments[3]), repeats > 0 else {
  print("usage: module-benchmark NETWORK|streets|vessels IMAGE REPEATS labels|probabilities")
  exit(64)
}
do {
  let packaged = PackagedNetwork(rawValue: arguments[1])
  let session = try InferenceSession(try packaged?.file() ?? arguments[1])
  let image = try session.image(arguments[2])
  let wanted: InferenceSession.Wanted = arguments[4] == "labels" ? [] : [.probabilities]
  let clock = ContinuousClock()
  var milliseconds: [Double] = []
  for turn in 0..<repeats + 3 {
    let start = clock.now
    let prediction = try session.predict(image, wanted: wanted)
    let took = (clock.now - start) / .milliseconds(1)
    // The first ones prepare the network.
    if turn >= 3 { milliseconds.append(took) }
    withExtendedLifetime(prediction) {}
  }
  print(milliseconds)
} catch {
  print(error)
  exit(1)
}
