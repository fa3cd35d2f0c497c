import Foundation
import Testing
import Torch

@Suite("Instruction sets of the kernels")
struct InstructionTests {
  @Test("are the best of the processor, and portable at the least")
  func best() {
    #expect(Engine.kernels == Engine.kernelBuilds.first && Engine.kernelBuilds.last == "portable")
  }

  @Test("are limited by ATROUS_ISA: better ones are as if the processor lacked them")
  func limited() async {
    await #expect(processExitsWith: .success) {
      setenv("ATROUS_ISA", "portable", 1)
      precondition(Engine.kernelBuilds == ["portable"] && Engine.kernels == "portable")
      precondition(!InferencePrecision.bfloat16.isSupported && !InferencePrecision.int8.isSupported)
      let conv = Conv2d(20, 24, kernel: 3)
      let x = noise([1, 20, 9, 7])
      withoutGradients {
        let y = conv(x)
        conv.prepared()
        precondition(error(conv(x), y) < 1e-5)
      }
    }
  }

  @Test("that the processor lacks, or that are none, are refused by name")
  func unknown() async {
    await #expect(processExitsWith: .success) {
      setenv("ATROUS_ISA", "mmx", 1)
      precondition(Engine.kernels == "none")
      do {
        _ = try attempt {
          withoutGradients {
            let conv = Conv2d(20, 24, kernel: 3)
            conv.prepared()
            return conv(noise([1, 20, 9, 7]))
          }
        }
        preconditionFailure("was taken")
      } catch {
        let message = "\(error)"
        precondition(
          message.contains(
            "ATROUS_ISA is 'mmx', expected an instruction set that this processor has: ")
            && message.contains("portable"), message)
      }
    }
  }
}
