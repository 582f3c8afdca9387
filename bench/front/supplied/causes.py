"""What helps where the files of a checkpoint cannot be had or read: access, a network, a package, another one."""

from collections.abc import Iterator

from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

REMEDIES: tuple[tuple[tuple[type[Exception], ...], str], ...] = (  # a gated repository is one that is not found, too
    ((GatedRepoError,), "ask for access on https://huggingface.co/{name} and log in with `hf auth login`"),
    ((RepositoryNotFoundError,), "check its spelling; a private one needs `hf auth login`"),
    (
        (OfflineModeIsEnabled, LocalEntryNotFoundError),
        "fetch it where there is a network, `hf download {name}`, and give the folder that this prints",
    ),
    ((ImportError,), "install the package that it names"),
)
UNNAMED = "Missing optional dependencies"  # what transformers says where no ImportError tells of a package


def remedy_of(error: BaseException, name: str, otherwise: str) -> str:
    """Return what helps against an error, or against what it came from.

    Args:
        name: Of the checkpoint.
        otherwise: What helps where the error is of no kind that is known.
    """
    causes = [ImportError() if UNNAMED in str(cause) else cause for cause in _causes(error)]
    for kinds, remedy in REMEDIES:
        if any(isinstance(cause, kinds) for cause in causes):
            return remedy.format(name=name)
    return otherwise


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its name where it says nothing; of a missing module that."""
    missing = [cause for cause in _causes(error) if isinstance(cause, ModuleNotFoundError)]
    return str(missing[-1] if missing else error).strip().partition("\n")[0] or type(error).__name__
