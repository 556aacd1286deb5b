"""The data stack on an emulator of its own: what every measurement that needs storage begins with."""

from pathlib import Path

from local_aws import emulator, stack, synthesis
from local_aws.aws import LocalAws
from local_aws.processes import Process, Processes


def deployed(processes: Processes, *, scratch: Path) -> tuple[LocalAws, dict[str, str]]:
    """The emulator, and the functions' environment variables that say where their data is."""
    aws, variables, _ = deployed_by(processes, scratch=scratch)
    return aws, variables


def deployed_by(processes: Processes, *, scratch: Path) -> tuple[LocalAws, dict[str, str], Process]:
    """The same, and the emulator's process."""
    aws, process = emulator.start(processes, scratch=scratch)
    context = synthesis.local_context({})
    name = synthesis.data_stack_name(context)
    assembly = synthesis.data_assembly(processes, context=context, env=aws.environment())
    emulator.wait_for(aws, process)
    return aws, stack.as_variables(stack.deploy(aws, name, assembly.template(name))), process
