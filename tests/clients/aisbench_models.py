"""AISBench's API models as they are in its package, without what only the rest of it uses.

To import anything the package asks for torch with its CUDA libraries (3 GB) and 90 more. Its API
models call none of them: here modules of torch are empty, and packages that import everything
beneath them are opened without running their __init__."""
import importlib.abc
import importlib.machinery
import importlib.util
import pathlib
import sys
import types

ABSENT = ("torch", "mmengine.dist", "transformers", "accelerate",
          "ais_bench.benchmark.models.local_models")
OPENED = ("ais_bench.benchmark.openicl", "ais_bench.benchmark.openicl.icl_inferencer",
          "ais_bench.benchmark.openicl.icl_inferencer.output_handler")
PRESENT = "ais_bench.benchmark.models.local_models.base"


class Absent(types.ModuleType):
    """Has every name, as an empty class."""
    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class Importer(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        here = pathlib.Path(importlib.util.find_spec("ais_bench").submodule_search_locations[0]) \
            if name.startswith("ais_bench.") else None
        if name == PRESENT:
            file = here.joinpath(*name.split(".")[1:]).with_suffix(".py")
            return importlib.util.spec_from_file_location(name, file)
        if name in OPENED:
            spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations.append(str(here.joinpath(*name.split(".")[1:])))
            return spec
        if any(name == one or name.startswith(one + ".") for one in ABSENT):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        return Absent(spec.name)

    def exec_module(self, module):
        pass


# While they are imported only: no other client may take what is absent for real.
kept = {name: module for name, module in sys.modules.items() if name.startswith(ABSENT)}
sys.meta_path.insert(0, Importer())
try:
    from ais_bench.benchmark.models import VLLMCustomAPI, VLLMCustomAPIChat
    from ais_bench.benchmark.models.output import RequestOutput
    from ais_bench.benchmark.openicl.icl_inferencer.output_handler.ppl_inferencer_output_handler \
        import PPLRequestOutput
finally:
    sys.meta_path.pop(0)
    for name in [name for name, module in sys.modules.items() if isinstance(module, Absent)]:
        del sys.modules[name]
    sys.modules.update(kept)

__all__ = ["PPLRequestOutput", "RequestOutput", "VLLMCustomAPI", "VLLMCustomAPIChat"]
