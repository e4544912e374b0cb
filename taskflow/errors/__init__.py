"""Every error and signal of taskflow, as a tree of classes.

```text
TaskflowError
├── DefinitionError            a task, queue, retry or machine is declared wrongly (at import)
│   └── UnknownSourceError ... webhooks has no sender of that name
├── SettingsError              a setting is missing or wrong (at start)
├── PayloadError               the payload does not fit the task; nothing was written
│   └── PayloadTooLargeError
├── TriggerOptionError         an option of trigger() is wrong; nothing was written
│   └── MetadataTooLargeError  ... metadata over 256 KB, also those of an update
├── UnstorableError            a text that the store cannot hold; nothing was written
├── TaskNotFoundError          no task of that id is declared
├── LocalNotSetError           a Local was read before it was set, or set outside of a run
├── OutputError                the returned value is not JSON (fails the attempt)
├── BatchItemsError            batch_trigger(atomic=True): items are wrong; nothing was written
├── StoreUnavailableError      Redis or Valkey did not answer
│   ├── BatchTriggerError      ... in the middle of a batch
│   ├── ServerUnavailableError ... TASKFLOW_API_URL: its server did not answer
│   ├── StoreFullError         its memory is full: it takes no new data; nothing was written
│   └── ReplicasMissingError   ... with too few replicas, when TASKFLOW_STORE_REPLICAS asks for some
├── StoreScriptError           a script failed on the server: a defect to report, which repeating does not mend
├── ApiError                   TASKFLOW_API_URL: its server refused, for a reason that has no error of its own
│   └── KeyRefusedError            ... because of the key
├── ApiAddressError            TASKFLOW_API_URL: there is no taskflow server
├── NotOverHttpError           TASKFLOW_API_URL is set, and this needs the run store itself
├── RunFilterError             runs.list(): a filter or cursor is wrong
├── HistoryUnavailableError    the history's database did not answer; runs go on
├── ObjectStoreError           a payload or output too large for the store was not written, or can't be read
├── BrokerUnavailableError     RabbitMQ did not confirm; the run exists and upkeep publishes it later
├── BlockingCallError          a blocking verb inside a running event loop
├── EagerModeError             Celery's eager mode was to execute a task in place
├── RunNotFoundError           no such run, or its record has expired
├── BatchNotFoundError         no such batch, or its record has expired
├── BulkActionNotFoundError    no such bulk action over HTTP, or its record has expired
├── RunNotDelayedError         runs.reschedule(): the run is not DELAYED
├── NotResumableError          runs.resume(): the run does not wait for other code
├── JournalNotKeptError        runs.replay(keep_journal=True): the run has no journal (any more)
├── StepNotFoundError          a journal has no such call, or several of that name
├── QueueNotFoundError         no such queue
├── ErrorGroupNotFoundError    error_groups: no such group, or its failures are too old
├── ApiKeyNotFoundError        taskflow keys revoke: no such API key
├── NodeNotFoundError          taskflow workers drain: no such node is up
├── UserError                  taskflow users: no such user, or one that is not possible
├── ApiKeyError                internal: a request with an API key that is not valid
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
├── ScheduleError              a schedule is not possible; nothing was written
│   └── CronError              its cron expression is wrong, or names no time that ever comes
├── ScheduleNotFoundError      no such schedule
├── DeclaredScheduleError      schedules.update() and the like: the schedule is declared by its task
├── WebhookVerificationError   a webhook's delivery is not genuine or not fresh
├── WebhookBodyError           ... or its body cannot be read
├── DeliveryNotFoundError      no such delivery of a webhook, or its record has expired
├── DeliveryQueryError         webhooks.deliveries.list(): an argument is wrong
├── JournalError               a durable run's code does not fit its journal (fails the run)
├── StepFailedError            a durable run's step failed when it was done, before this replay
├── RunNotClaimableError       internal: a ticket that came twice or late
├── StaleClaimError            internal: a write under a claim that has ended
├── NodeUnregisteredError      internal: the node's lease has ended
├── StandstillError            a test waits for what only the test itself can bring about
├── RealStoreError             a test would have used the store of the project's settings
└── EmbeddedStoreError         the bundled Valkey could not be started

AbortRun, RetryAfter, OutOfMemory      signals that task code raises
Suspended                              ends the code of a durable run that waits without a process from now on
```
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
from taskflow.errors.declaring import DefinitionError, LocalNotSetError, SettingsError, UnknownSourceError
from taskflow.errors.finding import (
    ApiKeyError,
    ApiKeyNotFoundError,
    BatchNotFoundError,
    BulkActionNotFoundError,
    ErrorGroupNotFoundError,
    JournalNotKeptError,
    NodeNotFoundError,
    NotResumableError,
    QueueNotFoundError,
    ResultTimeoutError,
    RunCanceledError,
    RunFailedError,
    RunNotDelayedError,
    RunNotFoundError,
    StepNotFoundError,
    UserError,
)
from taskflow.errors.http import ApiAddressError, ApiError, KeyRefusedError, NotOverHttpError, ServerUnavailableError
from taskflow.errors.running import (
    JournalError,
    MetadataTooLargeError,
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
from taskflow.errors.scheduling import CronError, DeclaredScheduleError, ScheduleError, ScheduleNotFoundError
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
from taskflow.errors.testing import RealStoreError, StandstillError
from taskflow.errors.webhooks import (
    DeliveryNotFoundError,
    DeliveryQueryError,
    WebhookBodyError,
    WebhookVerificationError,
)

__all__ = [
    "AbortRun",
    "ApiAddressError",
    "ApiError",
    "ApiKeyError",
    "ApiKeyNotFoundError",
    "BatchItemsError",
    "BatchNotFoundError",
    "BatchTriggerError",
    "BlockingCallError",
    "BrokerUnavailableError",
    "BulkActionNotFoundError",
    "CronError",
    "DeclaredScheduleError",
    "DefinitionError",
    "DeliveryNotFoundError",
    "DeliveryQueryError",
    "EagerModeError",
    "EmbeddedStoreError",
    "ErrorGroupNotFoundError",
    "HistoryUnavailableError",
    "JournalError",
    "JournalNotKeptError",
    "KeyRefusedError",
    "LocalNotSetError",
    "MetadataTooLargeError",
    "NodeNotFoundError",
    "NodeUnregisteredError",
    "NotOverHttpError",
    "NotResumableError",
    "ObjectStoreError",
    "OutOfMemory",
    "OutputError",
    "OutsideRunError",
    "PayloadError",
    "PayloadTooLargeError",
    "QueueNotFoundError",
    "RealStoreError",
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
    "ScheduleError",
    "ScheduleNotFoundError",
    "ServerUnavailableError",
    "SettingsError",
    "StaleClaimError",
    "StandstillError",
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
    "UnknownSourceError",
    "UnstorableError",
    "UserError",
    "WaitError",
    "WaitTimeoutError",
    "WebhookBodyError",
    "WebhookVerificationError",
]
