package org.fhirstack.gateway.proxy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.SocketTimeoutException;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.access.AnswerRule;
import org.fhirstack.gateway.access.PageLinks;
import org.fhirstack.gateway.access.Verdict;
import org.fhirstack.gateway.custom.Answer;
import org.fhirstack.gateway.sync.Changes;
import org.fhirstack.gateway.sync.IgnoreRules;
import org.fhirstack.gateway.token.User;

/** Sends what was permitted to the backend and brings its answer back: judged, and with public addresses. */
public final class Forwarder {
    private static final int LONGEST_HISTORY = 32 << 20;
    private static final int HELD_ANSWERS = 1 << 20;
    private static final List<String> PASSED_BACK = List.of("ETag", "Last-Modified");
    private static final List<String> ADDRESSES = List.of("Location", "Content-Location", "Link");

    private static final Pattern INSTANCE = Pattern.compile("([A-Z][A-Za-z]+/[A-Za-z0-9.-]+)(/.*)?");

    private final Backend backend;
    private final String backendBase;
    private final Changes changes;
    private final IgnoreRules ignoreRules;
    private final PageLinks links;

    /** One request with its answer, whose body goes to {@code out}; all links of the answer carry {@code base}. */
    record Exchange(String id, String base, HttpServletRequest request, HttpServletResponse response, Delivery out) {
    }

    public Forwarder(Backend backend, String backendBase, Changes changes, IgnoreRules ignoreRules, PageLinks links) {
        this.backend = backend;
        this.backendBase = backendBase;
        this.changes = changes;
        this.ignoreRules = ignoreRules;
        this.links = links;
    }

    /** @param user null when the request needed no token */
    void forward(Verdict verdict, User user, Exchange exchange) throws IOException {
        if (verdict.rule() == AnswerRule.NOTHING) {
            exchange.response().setContentType("application/fhir+json;charset=UTF-8");
            exchange.response().getOutputStream().write(Json.write(nothing(exchange.base() + "/"
                    + verdict.outgoing().target())));
            return;
        }
        try (Backend.Answer answer = send(verdict, exchange)) {
            deliver(verdict, user, answer, exchange);
        }
    }

    private static ObjectNode nothing(String self) {
        ObjectNode bundle = Json.object().put("resourceType", "Bundle").put("type", "searchset").put("total", 0);
        bundle.putArray("link").addObject().put("relation", "self").put("url", self);
        return bundle;
    }

    private Backend.Answer send(Verdict verdict, Exchange exchange) {
        try {
            return backend.send(verdict.outgoing(), common(exchange.request(), exchange.id()));
        } finally {
            // Also after a failure: the backend may have written before the connection broke.
            changes.written(verdict.written());
        }
    }

    /** Sends an answer of the gateway's own; true when it was sent, false when the client has it already. */
    boolean send(Answer answer, Exchange exchange) throws IOException {
        return OwnAnswer.send(answer, backendBase, exchange);
    }

    private static Map<String, String> common(HttpServletRequest request, String requestId) {
        Map<String, String> headers = new HashMap<>();
        headers.put("X-Request-Id", requestId);
        String prefer = request.getHeader("Prefer");
        if (prefer != null && prefer.matches("(?i)(return=(minimal|representation|OperationOutcome)"
                + "|handling=(strict|lenient))([;,] ?(return|handling)=[A-Za-z]+)*")) {
            headers.put("Prefer", prefer);
        }
        String cache = request.getHeader("Cache-Control");
        if (cache != null && cache.toLowerCase(Locale.ROOT).contains("no-cache")) {
            headers.put("Cache-Control", "no-cache");
        }
        return headers;
    }

    private void deliver(Verdict verdict, User user, Backend.Answer answer, Exchange exchange) throws IOException {
        HttpServletResponse response = exchange.response();
        int status = answer.status();
        if (status >= 500) {
            throw new Refusal(status == 503 || status == 504 ? status : 502, "backend-error",
                    "The FHIR server failed (" + status + ").");
        }
        if (status == 401 || status == 407 || status < 200 || status >= 300 && status < 400 && status != 304) {
            throw new Refusal(502, "backend-answer", "The FHIR server gave an answer that cannot be passed on.");
        }
        InputStream body = answer.body();
        String type = answer.header("Content-Type");
        if (body != null && status != 304 && status != 204 && (type == null
                || !type.toLowerCase(Locale.ROOT).matches("application/(fhir\\+)?json.*")) && body.read() >= 0) {
            throw new Refusal(502, "backend-answer", "The FHIR server's answer is not JSON.");
        }
        boolean judge = status == 200;
        String what = subject(verdict);
        if (verdict.reading() != null && !verdict.rule().everybodys() && what.contains("/") && (status == 404 || status == 410)) {
            throw Refusal.outside(what, false);
        }
        if (judge && verdict.rule() instanceof AnswerRule.Tagged tagged) {
            if (body == null) {
                throw Refusal.outside(what, true);
            }
            body = TaggedRead.judge(body, verdict.reading(), tagged.everybodys(), what);
        }
        head(status, answer, exchange);
        for (String place : status < 300 ? verdict.lost() : List.<String>of()) {
            response.addHeader("Warning", "299 fhir-gateway \"" + place + "\"");
        }
        if (body == null || status == 204 || status == 304) {
            return;
        }
        if (judge && RawBinary.asked(exchange.request(), verdict.outgoing())) {
            RawBinary.send(body, response, exchange.out());
            return;
        }
        response.setContentType("application/fhir+json;charset=UTF-8");
        BaseRewriter out = new BaseRewriter(exchange.out(), backendBase, exchange.base());
        if (judge && !(verdict.rule() instanceof AnswerRule.Pass) && !(verdict.rule() instanceof AnswerRule.Tagged)) {
            bundle(verdict, user, body, out);
        } else {
            copy(body, out);
        }
        out.finish();
    }

    /** The resource that is read, as {@code Type/id}. */
    private static String subject(Verdict verdict) {
        Matcher path = INSTANCE.matcher(verdict.outgoing().path());
        return verdict.outgoing().method().equals("GET") && path.matches() ? path.group(1) : "This resource";
    }

    private void bundle(Verdict verdict, User user, InputStream body, OutputStream out) throws IOException {
        PageJudge judge = new PageJudge(user, verdict.reading(), ignoreRules, links, backendBase, subject(verdict));
        if (verdict.rule() instanceof AnswerRule.Each each) {
            // So that answers which do not fit are refused as a whole; a long one breaks off instead.
            HeldStream held = new HeldStream(out, HELD_ANSWERS);
            BundleStream stream = new BundleStream(held, array -> array, judge.answers(each.expected()));
            copy(body, stream);
            stream.finish();
            held.release();
            return;
        }
        AnswerRule.Page page = ((AnswerRule.Pages) verdict.rule()).page();
        if (page.mode() != AnswerRule.Mode.HISTORY && page.mode() != AnswerRule.Mode.EVERYBODYS_HISTORY) {
            BundleStream stream = new BundleStream(out, judge.links(page), judge.entries(page));
            copy(body, stream);
            stream.finish();
            return;
        }
        // One foreign version refuses the whole, so nothing may have left before all were seen.
        ByteArrayOutputStream held = new ByteArrayOutputStream();
        BundleStream stream = new BundleStream(held, judge.links(page), judge.entries(page));
        byte[] buffer = new byte[16_384];
        int n;
        while ((n = body.read(buffer)) > 0) {
            stream.write(buffer, 0, n);
            if (held.size() > LONGEST_HISTORY) {
                throw Refusal.denied("too-long", "This page of the history is too long; ask for less with _count.");
            }
        }
        stream.finish();
        held.writeTo(out);
    }

    private static void copy(InputStream in, OutputStream out) throws IOException {
        byte[] buffer = new byte[16_384];
        while (true) {
            int n;
            try {
                n = in.read(buffer);
            } catch (SocketTimeoutException e) {
                throw new Refusal(504, "backend-timeout", "The FHIR server did not finish its answer in time.");
            }
            if (n < 0) {
                return;
            }
            out.write(buffer, 0, n);
        }
    }

    private void head(int status, Backend.Answer answer, Exchange exchange) {
        HttpServletResponse response = exchange.response();
        response.setStatus(status);
        for (String name : PASSED_BACK) {
            if (answer.header(name) != null) {
                response.setHeader(name, answer.header(name));
            }
        }
        for (String name : ADDRESSES) {
            String value = answer.header(name);
            if (value == null) {
                continue;
            }
            String changed = value.replace(backendBase, exchange.base());
            // An address of a server that is neither would show the inside of the network.
            if (!changed.replace(exchange.base(), "").contains("://")) {
                response.setHeader(name, changed);
            }
        }
    }
}
