"""Makes the sweepers known to Hydra.

Hydra starts plugins only from its namespace `hydra_plugins`. Files in that namespace would be imported by every
Hydra application of the environment; an entry made at run time concerns `vgen` alone.
"""

import sys
import warnings
from importlib import import_module
from types import ModuleType

from hydra.core.plugins import Plugins

from vgen.launch.listed import Listed
from vgen.launch.product import Product
from vgen.launch.search import Search

NAMESPACE = "hydra_plugins"


def register() -> None:
    """Let `_target_: hydra_plugins.vgen.Product`, `.Search` and `.Listed` name the sweepers of this package."""
    plugins = Plugins.instance()
    module = ModuleType(f"{NAMESPACE}.vgen")
    for sweeper in (Product, Search, Listed):
        setattr(module, sweeper.__name__, sweeper)
        # Not plugins.register(), which knows classes by the module that defines them.
        plugins.class_name_to_class[f"{module.__name__}.{sweeper.__name__}"] = sweeper
    try:
        namespace = import_module(NAMESPACE)
    except ImportError:  # no other plugin is installed
        namespace = sys.modules[NAMESPACE] = ModuleType(NAMESPACE)
    sys.modules[module.__name__] = module
    # Our options of the launchers bear the names that their plugins register: people know those.
    warnings.filterwarnings(
        "ignore", message=r"\s*'hydra/launcher/\w+' is validated against ConfigStore schema"
    )
    namespace.vgen = module  # type: ignore[attr-defined]
