"""Every error and signal of taskflow.

::

    TaskflowError
    ├── DefinitionError            a task, queue, retry or machine is declared wrongly (at import)
    ├── SettingsError              a setting is missing or wrong (at start)
    ├── PayloadError               the payload does not fit the task; nothing was written
    │   └── PayloadTooLargeError
    ├── TriggerOptionError         an option of trigger() is wrong; nothing was written
    ├── UnstorableError            a text that the store cannot hold; nothing was written
    ├── TaskNotFoundError          no task of that id is declared
    ├── LocalNotSetError           a Local was read before it was set, or set outside of a run
    ├── OutputError                the returned value is not JSON (fails the attempt)
    ├── BatchItemsError            batch_trigger(atomic=True): items are wrong; nothing was written
    ├── StoreUnavailableError      Redis or Valkey did not answer
    │   ├── BatchTriggerError      ... in the middle of a batch
    │   ├── StoreFullError         its memory is full: it takes no new data; nothing was written
    │   └── ReplicasMissingError   ... with too few replicas, when TASKFLOW_STORE_REPLICAS asks for some
    ├── StoreScriptError           a script failed on the server: a defect to report, which repeating does not mend
    ├── RunFilterError             runs.list(): a filter or cursor is wrong
    ├── HistoryUnavailableError    the history's database did not answer; runs go on
    ├── ObjectStoreError           a payload or output too large for the store was not written, or can't be read
    ├── BrokerUnavailableError     RabbitMQ did not confirm; the run exists and upkeep publishes it later
    ├── BlockingCallError          a blocking verb inside a running event loop
    ├── EagerModeError             Celery's eager mode was to execute a task in place
    ├── RunNotFoundError           no such run, or its record has expired
    ├── BatchNotFoundError         no such batch, or its record has expired
    ├── RunNotDelayedError         runs.reschedule(): the run is not DELAYED
    ├── NotResumableError          runs.resume(): the run does not wait for other code
    ├── JournalNotKeptError        runs.replay(keep_journal=True): the run has no journal (any more)
    ├── StepNotFoundError          a journal has no such call, or several of that name
    ├── QueueNotFoundError         no such queue
    ├── RunFailedError             handle.result(): the run did not complete
    │   └── RunCanceledError
    ├── ResultTimeoutError         handle.result(timeout): not finished in time
    ├── OutsideRunError            metadata, tags: called where no run executes
    ├── RunUpdateError             metadata, tags: a value that a run can't have
    ├── StreamError                streams: a name, an item or an amount that is not possible
    │   └── StreamClosedError      ... the run has ended, or the stream was closed
    ├── StreamTimeoutError         streams: no item came in time
    ├── WaitError                  wait: a wait that is not possible
    │   ├── WaitTimeoutError       result.unwrap() of a token that nobody completed in time
    │   └── TokenDataError         the value that completes a token is not JSON, not of its type, or too large
    ├── TokenNotFoundError         no such token, or its record has expired
    ├── JournalError               a durable run's code does not fit its journal (fails the run)
    ├── StepFailedError            a durable run's step failed when it was done, before this replay
    ├── RunNotClaimableError       internal: a ticket that came twice or late
    ├── StaleClaimError            internal: a write under a claim that has ended
    ├── NodeUnregisteredError      internal: the node's lease has ended
    └── EmbeddedStoreError         the bundled Valkey could not be started

    AbortRun, RetryAfter, OutOfMemory      signals that task code raises
    Suspended                              ends the code of a durable run that waits without a process from now on
"""

from taskflow.errors.base import TaskflowError
from taskflow.errors.calling import (
    BatchItemsError,
    BlockingCallError,
    EagerModeError,
    PayloadError,
    PayloadTooLargeError,
    RunFilterError,
    TaskNotFoundError,
    TriggerOptionError,
    UnstorableError,
)
from taskflow.errors.claims import NodeUnregisteredError, RunNotClaimableError, StaleClaimError
from taskflow.errors.declaring import DefinitionError, LocalNotSetError, SettingsError
from taskflow.errors.finding import (
    BatchNotFoundError,
    JournalNotKeptError,
    NotResumableError,
    QueueNotFoundError,
    ResultTimeoutError,
    RunCanceledError,
    RunFailedError,
    RunNotDelayedError,
    RunNotFoundError,
    StepNotFoundError,
)
from taskflow.errors.running import (
    JournalError,
    OutsideRunError,
    RunUpdateError,
    StepFailedError,
    StreamClosedError,
    StreamError,
    StreamTimeoutError,
    Suspended,
    TokenDataError,
    TokenNotFoundError,
    WaitError,
    WaitTimeoutError,
)
from taskflow.errors.servers import (
    BatchTriggerError,
    BrokerUnavailableError,
    EmbeddedStoreError,
    HistoryUnavailableError,
    ObjectStoreError,
    ReplicasMissingError,
    StoreFullError,
    StoreScriptError,
    StoreUnavailableError,
)
from taskflow.errors.signals import AbortRun, OutOfMemory, OutputError, RetryAfter

__all__ = [
    "AbortRun",
    "BatchItemsError",
    "BatchNotFoundError",
    "BatchTriggerError",
    "BlockingCallError",
    "BrokerUnavailableError",
    "DefinitionError",
    "EagerModeError",
    "EmbeddedStoreError",
    "HistoryUnavailableError",
    "JournalError",
    "JournalNotKeptError",
    "LocalNotSetError",
    "NodeUnregisteredError",
    "NotResumableError",
    "ObjectStoreError",
    "OutOfMemory",
    "OutputError",
    "OutsideRunError",
    "PayloadError",
    "PayloadTooLargeError",
    "QueueNotFoundError",
    "ReplicasMissingError",
    "ResultTimeoutError",
    "RetryAfter",
    "RunCanceledError",
    "RunFailedError",
    "RunFilterError",
    "RunNotClaimableError",
    "RunNotDelayedError",
    "RunNotFoundError",
    "RunUpdateError",
    "SettingsError",
    "StaleClaimError",
    "StepFailedError",
    "StepNotFoundError",
    "StoreFullError",
    "StoreScriptError",
    "StoreUnavailableError",
    "StreamClosedError",
    "StreamError",
    "StreamTimeoutError",
    "Suspended",
    "TaskNotFoundError",
    "TaskflowError",
    "TokenDataError",
    "TokenNotFoundError",
    "TriggerOptionError",
    "UnstorableError",
    "WaitError",
    "WaitTimeoutError",
]
