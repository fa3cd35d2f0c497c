// Reads COCO's annotations and draws the mask of every image, for run.py to compare with pycocotools.

import Annotations
import Dispatch
import Foundation
import Imaging
import Synchronization

let arguments = CommandLine.arguments
guard arguments.count == 3, let threads = Int(arguments[2]), threads > 0 else {
  print("usage: annotations-benchmark FILE THREADS")
  exit(64)
}
do {
  let clock = ContinuousClock()
  let start = clock.now
  let set = try AnnotationSet(contentsOf: arguments[1], format: .coco)
  let read = clock.now
  let counts = Mutex([Int](repeating: 0, count: set.classes.count + 1))
  let failure = Mutex<(any Error)?>(nil)
  DispatchQueue.concurrentPerform(iterations: threads) { thread in
    var own = [Int](repeating: 0, count: set.classes.count + 1)
    for index in stride(from: thread, to: set.images.count, by: threads) {
      do {
        for value in try set.mask(of: set.images[index]).values {
          own[min(Int(value), set.classes.count)] += 1
        }
      } catch {
        failure.withLock { $0 = error }
      }
    }
    let found = own
    counts.withLock { counts in for i in counts.indices { counts[i] += found[i] } }
  }
  if let failure = failure.withLock({ $0 }) { throw failure }
  let end = clock.now
  let classes = counts.withLock { $0 }.map(String.init).joined(separator: ",")
  print(
    "{\"read\": \((read - start) / .seconds(1)), \"draw\": \((end - read) / .seconds(1)), \"counts\": [\(classes)]}"
  )
} catch {
  print(error)
  exit(1)
}
