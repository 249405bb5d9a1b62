package org.fhirstack.gateway.access;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.fhir.Structure;
import org.fhirstack.gateway.request.Query;
import org.fhirstack.gateway.sync.Existing.Current;
import org.fhirstack.gateway.sync.Tag;

/**
 * Judges a write twice: by what it brings, and by what is there. The tags of a resource that is written are the body's
 * where it names any of a kind, so that a resource which moves leaves its old team; tags of other kinds stay. HAPI
 * would keep them all.
 */
final class WriteJudge {
    /** Makes HAPI drop tags that a body does not have; without it, it drops profiles only. */
    static final String SNAPSHOT = "X-Meta-Snapshot-Mode";
    static final String SNAPSHOT_MODE = "TAG, PROFILE";
    private final Access access;

    WriteJudge(Access access) {
        this.access = access;
    }

    /** Judges what can be judged without a look at what is there. */
    void bring(Write write) {
        access.user.need(write.method, write.type);
        SharedTypes.needWriter(write.type, access);
        if (write.method.equals("PATCH")) {
            write.resource = PatchRules.judge(write.resource, write.type, access);
        } else if (write.resource != null) {
            if (write.id != null) {
                BodyRules.needId(write.resource, write.id);
            }
            content(write);
            if (own(write)) {
                access.filter().needOwn(Tag.of(write.resource));
            }
            TagRules.tidy(write.resource, access.tagSystems());
        }
    }

    private void content(Write write) {
        if (write.type.equals("Subscription")) {
            BodyRules.needTypeBefore(write.resource.path("criteria").asText(), access);
        }
        BodyRules.judgeReferences(write.resource, access);
        SharedTypes.needHarmless(write.resource, write.type, access);
    }

    /** True when the sync filter holds what is written. */
    private boolean own(Write write) {
        return access.filtered(write.method, write.type, Query.EMPTY, write.id);
    }

    /** True when what is there must be known: whose it is, or which tags will stay. */
    boolean needsCurrent(Write write, boolean snapshot) {
        boolean addressed = write.id != null || write.condition != null;
        return addressed && (own(write) || snapshot && write.method.equals("PUT"));
    }

    /** True when the tags of what is written will be those that it says, no more. */
    boolean settlesTags(Write write) {
        return switch (write.method) {
            case "PUT" -> own(write) || TagRules.anyOf(write.resource, access.tagSystems());
            case "PATCH" -> own(write) || PatchRules.touchesMeta(write.resource);
            default -> false;
        };
    }

    /** True when all of what is there must be known. */
    boolean needsWhole(Write write) {
        return write.method.equals("PATCH") && own(write) && write.id != null;
    }

    /**
     * Judges a write by what is there, and completes it.
     *
     * @param current null when there is nothing
     */
    void settle(Write write, Current current) {
        if (own(write) && write.id != null) {
            access.needInside(current, write.type, write.id, write.method.equals("PATCH"));
        }
        if (write.method.equals("PUT")) {
            TagRules.keep(write.resource, current == null ? List.of() : TagRules.staying(current, write.resource,
                    access.tagSystems(), own(write) ? access.filter()::own : tag -> true));
        } else if (write.method.equals("PATCH") && own(write)) {
            patch(write, current);
        }
    }

    /**
     * A patch is judged by what it makes of the resource, and sent as that. One of another version is refused here: what
     * was not judged may not go on, the version that it names may come.
     */
    private void patch(Write write, Current current) {
        JsonNode operations = PatchRules.operations(write.resource);
        if (operations == null) {
            return;
        }
        if (write.expected != null && !write.expected.equals(current.version())) {
            throw new Refusal(409, "version", "the current version is " + current.version() + ", not "
                    + write.expected + ".");
        }
        JsonNode result = JsonPatch.apply(operations, current.resource());
        write.method = "PUT";
        write.expected = current.version();
        write.resource = result;
        if (!(result instanceof ObjectNode)) {
            throw Refusal.malformed("the patch makes no resource.");
        }
        Structure.check(result);
        content(write);
        TagRules.needOwnChanges(current, result, access.filter(), access.tagSystems());
        TagRules.tidy(result, access.tagSystems());
    }
}
